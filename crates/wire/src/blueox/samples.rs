//! Connections to the collection port, byte for byte: three events of one request, as BlueOx 0.11.3 sends them.

use sawlog_pipeline::Sample;

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        name: "ZMTP 3, as libzmq 4 speaks it: a request, its query and its log line",
        events: 3,
        bytes: b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH\x01\x89\x03A\
            \xda\xc05\xa6\x04\x92d\x02vm\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0brequest.sql\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x8b\x87\xa4body\x83\
            \xa5query\xa7sel\xc3\xa9ct\xa2dt\xaa2013-12-10\xa1d\xa31.5\xa3end\xcbA\xda\xc05\xa6\x04\x92d\xa3pi\
            d\xcdMC\xa5start\xcbA\xda\xc05\xa6\x04\x8ar\xa4host\xa2vm\xa4type\xabrequest.sql\xa2id\xda\0\x206b\
            00d69868c346a92b8185986603cb46\x01\x89\x03A\xda\xc05\xa6\x04\x96\xe1\x02vm\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \x0brequest.log\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\x89\x87\xa4body\x83\xa3msg\xa6boom\x201\xa4name\xa3app\xa5level\xa5ERROR\
            \xa3end\xcbA\xda\xc05\xa6\x04\x96\xe1\xa3pid\xcdMC\xa5start\xcbA\xda\xc05\xa6\x04\x96\x81\xa4host\
            \xa2vm\xa4type\xabrequest.log\xa2id\xda\0\x206b00d69868c346a92b8185986603cb46\x01\x89\x03A\xda\xc0\
            5\xa6\x04\x97\xfa\x02vm\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07request\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa8\x87\xa4body\x85\
            \xacrequest_time\xcb>\xc0\0\0\0\0\0\0\xa1n\x05\xa1l\x92\xa1a\xa1b\xaauser_agent\xa4curl\xa8respons\
            e\x81\xa6status\xcc\xc8\xa3end\xcbA\xda\xc05\xa6\x04\x97\xfa\xa3pid\xcdMC\xa5start\xcbA\xda\xc05\
            \xa6\x045+\xa4host\xa2vm\xa4type\xa7request\xa2id\xda\0\x206b00d69868c346a92b8185986603cb46",
    },
    Sample {
        name: "ZMTP 2, as libzmq 3 speaks it",
        events: 1,
        bytes: b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x08\0\0\x01\x89\x03A\xda\xc05\xa6\x04\x97\xfa\x02vm\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\x07request\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa8\x87\xa4body\x85\xacrequest_time\xcb>\xc0\0\0\0\0\0\0\xa1n\
            \x05\xa1l\x92\xa1a\xa1b\xaauser_agent\xa4curl\xa8response\x81\xa6status\xcc\xc8\xa3end\xcbA\xda\
            \xc05\xa6\x04\x97\xfa\xa3pid\xcdMC\xa5start\xcbA\xda\xc05\xa6\x045+\xa4host\xa2vm\xa4type\xa7reque\
            st\xa2id\xda\0\x206b00d69868c346a92b8185986603cb46",
    },
    Sample {
        name: "ZMTP 1, as libzmq 2 speaks it; the last two messages are no events",
        events: 1,
        bytes: b"\x01\0\x8a\x01\x03A\xda\xc05\xa6\x04\x92d\x02vm\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0brequest.sql\0\0\0\0\0\
            \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x8c\
            \0\x87\xa4body\x83\xa5query\xa7sel\xc3\xa9ct\xa2dt\xaa2013-12-10\xa1d\xa31.5\xa3end\xcbA\xda\xc05\
            \xa6\x04\x92d\xa3pid\xcdMC\xa5start\xcbA\xda\xc05\xa6\x04\x8ar\xa4host\xa2vm\xa4type\xabrequest.sq\
            l\xa2id\xda\0\x206b00d69868c346a92b8185986603cb46\x04\0one\x01\0",
    },
];
