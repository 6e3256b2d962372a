//! Patterns of tags, as in Fluentd's `<match a.** {b,c}.*>`. Knows nothing of where they stand.

/// Which tags fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagPattern {
    text: String,
}

impl TagPattern {
    /// Every tag.
    pub fn all() -> Self {
        TagPattern { text: "**".to_owned() }
    }

    /// Whether every tag fits.
    pub fn is_all(&self) -> bool {
        self.text == "**"
    }
}
