//! What a body holds, with all the types that MessagePack has. Knows nothing of events.

use std::borrow::Cow;
use std::time::Duration;

/// A key of a body; a literal costs nothing.
pub type Key = Cow<'static, str>;

/// A value in the body of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that an `i64` cannot hold.
    UInt(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Cow<'static, str>),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
    /// Values in a row.
    List(Vec<Value>),
    /// Values by name, in the order in which they came.
    Map(Vec<(Key, Value)>),
}

impl Value {
    /// The sum, whole where both are and it fits; `None` where one is no number.
    pub(crate) fn plus(&self, other: &Value) -> Option<Value> {
        if let (Some(a), Some(b)) = (self.whole(), other.whole()) {
            let sum = a + b;
            if let Ok(sum) = i64::try_from(sum) {
                return Some(Value::Int(sum));
            }
            if let Ok(sum) = u64::try_from(sum) {
                return Some(Value::UInt(sum));
            }
        }
        Some(Value::Float(self.number()? + other.number()?))
    }

    fn whole(&self) -> Option<i128> {
        match *self {
            Value::Int(number) => Some(number.into()),
            Value::UInt(number) => Some(number.into()),
            _ => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match *self {
            Value::Int(number) => Some(number as f64),
            Value::UInt(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }
}

macro_rules! from_whole {
    ($($kind:ty)*) => {$(
        impl From<$kind> for Value {
            fn from(number: $kind) -> Value {
                Value::Int(number.into())
            }
        }
    )*};
}

from_whole!(i8 i16 i32 i64 u8 u16 u32);

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        i64::try_from(number).map_or(Value::UInt(number), Value::Int)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::from(number as u64)
    }
}

impl From<isize> for Value {
    fn from(number: isize) -> Value {
        Value::Int(number as i64)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<f32> for Value {
    fn from(number: f32) -> Value {
        Value::Float(number.into())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

/// Text of the program's own; `String` is for all other.
impl From<&'static str> for Value {
    fn from(text: &'static str) -> Value {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(Cow::Owned(text))
    }
}

/// Seconds.
impl From<Duration> for Value {
    fn from(time: Duration) -> Value {
        Value::Float(time.as_secs_f64())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(values: [T; N]) -> Value {
        Value::List(values.into_iter().map(Into::into).collect())
    }
}
