//! How the name of a context and its parent follow from the name it is given and the contexts around it. Knows nothing of
//! time, bodies and sending.

use std::sync::Arc;

use crate::value::Key;

/// A context, as far as names are concerned.
pub(crate) trait Named {
    fn name(&self) -> &str;
    /// The context around it.
    fn previous(&self) -> Option<&Arc<Self>>;
}

/// The full name and the parent of a context that is called `given` inside of `current`.
///
/// `.sub` is relative to the current context, `^.sub` to the outermost; any other name is absolute, and has a parent where
/// a context around it bears a prefix of it, or the same name. What is no name (`""`, `..a`, `^a`) is read without its
/// signs, and is `unnamed` where nothing is left: an application must not stumble over what watches it.
pub(crate) fn resolve<C: Named>(given: Key, current: Option<&Arc<C>>) -> (Key, Option<Arc<C>>) {
    let (base, relative) = if let Some(below) = given.strip_prefix("^.") {
        (current.map(outermost), below)
    } else if let Some(below) = given.strip_prefix('.') {
        (current, below)
    } else if is_name(&given) {
        let parent =
            current.and_then(|current| nearest(&given, current).or_else(|| namesake(&given, current)));
        let parent = parent.cloned();
        return (given, parent);
    } else {
        (None, given.as_ref())
    };
    let relative = relative.trim_start_matches(['.', '^']);
    let relative = if relative.is_empty() { "unnamed" } else { relative };
    let (Some(base), Some(current)) = (base, current) else {
        return (Key::Owned(relative.to_owned()), None);
    };
    let name = join(base.name(), relative);
    let parent = nearest(&name, current).unwrap_or(base).clone();
    (Key::Owned(name), Some(parent))
}

fn is_name(given: &str) -> bool {
    !given.is_empty() && !given.starts_with(['.', '^'])
}

/// The context that `name` means inside of `current`: `.` itself, `..` the one around it, `^` the outermost, else the
/// innermost that bears the name.
pub(crate) fn find<'a, C: Named>(name: &str, current: &'a Arc<C>) -> Option<&'a Arc<C>> {
    match name {
        "." => Some(current),
        ".." => current.previous(),
        "^" => Some(outermost(current)),
        _ => namesake(name, current),
    }
}

fn outermost<C: Named>(current: &Arc<C>) -> &Arc<C> {
    let mut context = current;
    while let Some(previous) = context.previous() {
        context = previous;
    }
    context
}

/// `relative` put below `name`. Where its first part stands in `name` already, it is put there: `.sql` called from within
/// `request.sql.retry` is `request.sql`, so that code that is called at any depth gives its events one name.
fn join(name: &str, relative: &str) -> String {
    let first = relative.split('.').next().unwrap_or_default();
    let mut end = 0;
    for part in name.split('.') {
        if part == first {
            return format!("{}{relative}", &name[..end]);
        }
        end += part.len() + 1;
    }
    format!("{name}.{relative}")
}

/// The innermost context whose name is a proper prefix of `name`, by whole parts.
fn nearest<'a, C: Named>(name: &str, current: &'a Arc<C>) -> Option<&'a Arc<C>> {
    chain(current).find(|context| name.strip_prefix(context.name()).is_some_and(|rest| rest.starts_with('.')))
}

fn namesake<'a, C: Named>(name: &str, current: &'a Arc<C>) -> Option<&'a Arc<C>> {
    chain(current).find(|context| context.name() == name)
}

fn chain<C: Named>(current: &Arc<C>) -> impl Iterator<Item = &Arc<C>> {
    std::iter::successors(Some(current), |context| context.previous())
}
