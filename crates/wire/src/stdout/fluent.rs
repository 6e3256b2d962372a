//! What Fluentd's configurations say of this output. Knows nothing of rows.

use sawlog_pipeline::config::{FluentForm, Role};

/// Its one form.
pub(super) const FORMS: &[FluentForm] = &[FluentForm {
    role: Role::Match,
    names: &["stdout"],
    read: |reader| {
        for name in ["format", "inject"] {
            if let Some(child) = reader.child(name) {
                let message = format!("<{name}> has no effect: each row is printed with its time and tag");
                reader.note_at(child, message);
            }
        }
        reader.without_effect(&["format", "output_type"], "each row is printed with its time and tag");
        Vec::new()
    },
}];
