//! Documents of rows that go out in one request. Knows nothing of how they are written and sent.

/// Documents that go out together.
#[derive(Default)]
pub struct Bulk {
    /// The documents.
    pub body: Vec<u8>,
    /// Places of their rows in the batch, each with the end of its document in the body.
    pub rows: Vec<(usize, usize)>,
}

impl Bulk {
    /// The same as two; `None` where it is one document.
    pub fn halves(mut self) -> Option<(Bulk, Bulk)> {
        let middle = self.rows.len() / 2;
        let (_, end) = *self.rows.get(middle.checked_sub(1)?)?;
        let body = self.body.split_off(end);
        let rows = self.rows.split_off(middle).into_iter().map(|(row, at)| (row, at - end)).collect();
        Some((self, Bulk { body, rows }))
    }
}
