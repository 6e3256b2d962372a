//! What a journal holds, given to an output outside of any pipeline: for looking into a directory on which no node runs.

use sawlog_journal::{Frame, FrameKind};

use crate::lane::next_after;
use crate::{Origin, Output, OutputError, payload};

/// Gives the rows of one frame to `output`. Frames of cursors, and frames that cannot be understood, hold none.
///
/// # Errors
/// What the output says.
pub fn replay(frame: Frame, output: &dyn Output) -> Result<(), OutputError> {
    if frame.kind != FrameKind::Data {
        return Ok(());
    }
    let items = payload::read_items(frame.payload).unwrap_or_default();
    let count = items.len();
    for (index, item) in items.into_iter().enumerate() {
        let next = next_after(index, count, frame.lsn, frame.next);
        output.take(item.batch, Origin::Journal { at: frame.lsn, next, position: item.position })?;
    }
    Ok(())
}
