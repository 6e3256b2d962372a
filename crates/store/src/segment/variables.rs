//! The variables of all texts of a column, by the template that each text has and by their place in it: for each such place a column
//! of its own. Knows nothing of how texts are cut or columns written.

/// No column.
const NONE: u32 = u32::MAX;

/// Variables as they come, text after text.
#[derive(Default)]
pub(super) struct Variables {
    /// The template of each text.
    ids: Vec<i64>,
    /// For each template the column of its first variable, or [`NONE`] where no text has it.
    first_columns: Vec<u32>,
    columns: usize,
    /// All variables one after the other, and the column and the length of each.
    bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
}

impl Variables {
    /// Adds a text: the number of its template, and its variables.
    pub(super) fn push<'a>(&mut self, id: u32, variables: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.ids.push(i64::from(id));
        if self.first_columns.len() <= id as usize {
            self.first_columns.resize(id as usize + 1, NONE);
        }
        let first = &mut self.first_columns[id as usize];
        if *first == NONE {
            *first = self.columns as u32;
            self.columns += variables.len();
        }
        for (column, variable) in (*first..).zip(variables) {
            self.bytes.extend_from_slice(variable);
            self.places.push((column, variable.len() as u32));
        }
    }

    /// The template of each text.
    pub(super) fn ids(&self) -> &[i64] {
        &self.ids
    }

    /// Puts them in the order of columns. There may be very many of these, of a value each: they stand in one piece of memory.
    pub(super) fn arrange(self) -> Arranged {
        let Variables { first_columns, columns, bytes, places, .. } = self;
        // Where the next value of a column goes, and the next of its bytes.
        let mut next = vec![(0u32, 0u32); columns + 1];
        for (column, len) in &places {
            let (values, bytes) = &mut next[*column as usize + 1];
            (*values, *bytes) = (*values + 1, *bytes + len);
        }
        let mut sum = (0, 0);
        for (values, bytes) in &mut next {
            sum = (sum.0 + *values, sum.1 + *bytes);
            (*values, *bytes) = sum;
        }
        let starts = next.clone();
        let (mut sorted, mut ends) = (vec![0; bytes.len()], vec![0; places.len()]);
        let mut at = 0;
        for (column, len) in places {
            let (value, to) = &mut next[column as usize];
            let len = len as usize;
            sorted[*to as usize..][..len].copy_from_slice(&bytes[at..at + len]);
            at += len;
            *to += len as u32;
            ends[*value as usize] = *to;
            *value += 1;
        }
        Arranged { first_columns, starts, bytes: sorted, ends }
    }
}

/// Variables by column.
pub(super) struct Arranged {
    first_columns: Vec<u32>,
    /// The first value of each column, and its first byte; of one more than there are.
    starts: Vec<(u32, u32)>,
    /// Values one after the other, since a column is gone through several times; and where each ends.
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Arranged {
    /// The templates that texts have, each with its first column.
    pub(super) fn templates(&self) -> impl Iterator<Item = (u32, usize)> {
        let firsts = self.first_columns.iter().zip(0..).filter(|(first, _)| **first != NONE);
        firsts.map(|(first, id)| (id, *first as usize))
    }

    /// The values of a column.
    pub(super) fn column(&self, number: usize) -> Vec<&[u8]> {
        let ((first, mut start), (end, _)) = (self.starts[number], self.starts[number + 1]);
        let ends = &self.ends[first as usize..end as usize];
        ends.iter()
            .map(|end| &self.bytes[std::mem::replace(&mut start, *end) as usize..*end as usize])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_of_a_template_is_a_column() {
        let mut variables = Variables::default();
        let mut push = |id: u32, list: &[&'static [u8]]| variables.push(id, list.iter().copied());
        push(3, &[b"a", b"12"]);
        push(1, &[]);
        push(7, &[b""]);
        push(3, &[b"", b"345"]);
        push(7, &[b"x"]);
        assert_eq!(variables.ids(), [3, 1, 7, 3, 7]);
        let arranged = variables.arrange();
        assert_eq!(arranged.templates().collect::<Vec<_>>(), [(1, 2), (3, 0), (7, 2)]);
        let columns: Vec<Vec<&[u8]>> = (0..3).map(|column| arranged.column(column)).collect();
        assert_eq!(columns, [[&b"a"[..], b""], [b"12", b"345"], [b"", b"x"]]);
    }
}
