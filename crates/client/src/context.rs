//! Contexts: typed events with a name, an id, a start, an end and a body that grows while the work is done. Each thread has
//! a stack of the contexts it works in; a future takes its own along. Knows nothing of how events are sent.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::body::{self, Body, Refused};
use crate::chance;
use crate::configure;
use crate::fork;
use crate::names::{self, Named};
use crate::record::{Finished, Id};
use crate::value::{Key, Value};

thread_local! {
    static STACK: RefCell<Vec<Arc<Inner>>> = const { RefCell::new(Vec::new()) };
}

/// So many refused writes are named in a body.
const REFUSED_MOST: usize = 8;

/// An event in the making, shared by all handles on it.
pub(crate) struct Inner {
    name: Key,
    id: Id,
    span: u64,
    parent: Option<Arc<Inner>>,
    previous: Option<Arc<Inner>>,
    /// Whether it is to be sent; what is below one that is not, is not.
    enabled: bool,
    /// Forks until it began.
    forks: u64,
    start: SystemTime,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    body: Body,
    /// What sampling decided for the types below that asked this context.
    decided: Vec<(Key, bool)>,
    over: bool,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it, once, and gives it to the recorder.
    fn finish(&self, send: bool) {
        let body = {
            let mut state = self.lock();
            if std::mem::replace(&mut state.over, true) {
                return;
            }
            std::mem::take(&mut state.body)
        };
        // What was begun before a fork is the parent's to send.
        if !send || !self.enabled || !configure::is_on() || self.forks != fork::count() {
            return;
        }
        configure::record(&Finished {
            name: &self.name,
            id: &self.id,
            span: self.span,
            parent: self.parent.as_ref().map(|parent| parent.span),
            start: self.start,
            end: self.start + self.began.elapsed(),
            body: &body,
        });
    }
}

impl Named for Inner {
    fn name(&self) -> &str {
        &self.name
    }

    fn previous(&self) -> Option<&Arc<Inner>> {
        self.previous.as_ref()
    }
}

/// Four bytes of the time in seconds and twelve of chance.
pub(crate) fn new_id(at: SystemTime) -> Id {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as u32;
    let low = u128::from(chance::bits()) << 32 | u128::from(chance::bits() as u32);
    Id::Made(u128::from(seconds) << 96 | low)
}

/// The event that is to be begun: its name, and what few of them need.
#[derive(Clone, Debug)]
#[must_use = "nothing begins before `begin` or `enter`"]
pub struct Builder {
    name: Key,
    id: Option<Value>,
    sample: Option<(Key, f64)>,
    around: Around,
}

/// What a context is put into.
#[derive(Clone, Debug)]
enum Around {
    Current,
    Nothing,
    Given(Context),
}

impl Builder {
    /// An event of that name, which may be relative to the contexts around it: see the crate's own words on names.
    pub fn new(name: impl Into<Key>) -> Builder {
        Builder { name: name.into(), id: None, sample: None, around: Around::Current }
    }

    /// An id of the application's own, instead of that of the parent or a new one.
    pub fn id(mut self, id: impl Into<Value>) -> Builder {
        self.id = Some(id.into());
        self
    }

    /// Keeps only some of these events. With `"."` or the own name each is kept with the probability `rate`; with `".."`
    /// (the context around), `"^"` (the outermost) or a context's name it is decided once for all events of this type
    /// within that context. Below an event that is not kept, none is.
    pub fn sample(mut self, who: impl Into<Key>, rate: f64) -> Builder {
        self.sample = Some((who.into(), rate));
        self
    }

    /// Puts it into a context that is not this thread's current one, or into none.
    pub fn within(mut self, around: Option<&Context>) -> Builder {
        self.around = around.map_or(Around::Nothing, |context| Around::Given(context.clone()));
        self
    }

    /// Begins the event, without making it the current context.
    pub fn begin(self) -> Event {
        Event(Context(configure::is_on().then(|| Arc::new(self.make()))))
    }

    /// Begins the event and makes it the current context of this thread.
    pub fn enter(self) -> Entered {
        let event = self.begin();
        Entered { scope: event.enter(), event }
    }

    /// An event without duration, of now.
    pub fn instant(self, write: impl FnOnce(&Context)) {
        if !configure::is_on() {
            return;
        }
        let context = Context(Some(Arc::new(self.make())));
        if let Some(inner) = context.0.as_ref().filter(|inner| inner.enabled) {
            write(&context);
            let body = std::mem::take(&mut inner.lock().body);
            configure::record(&Finished {
                name: &inner.name,
                id: &inner.id,
                span: inner.span,
                parent: inner.parent.as_ref().map(|parent| parent.span),
                start: inner.start,
                end: inner.start,
                body: &body,
            });
        }
    }

    fn make(self) -> Inner {
        let current = match self.around {
            Around::Current => current(),
            Around::Nothing => None,
            Around::Given(context) => context.0,
        };
        let (name, parent) = names::resolve(self.name, current.as_ref());
        let start = SystemTime::now();
        let id = match (self.id, &parent) {
            (Some(given), _) => Id::Given(Arc::new(given)),
            (None, Some(parent)) => parent.id.clone(),
            (None, None) => new_id(start),
        };
        let mut enabled = parent.as_ref().is_none_or(|parent| parent.enabled);
        if let Some((who, rate)) = self.sample.filter(|_| enabled) {
            enabled = sampled(&who, rate, &name, parent.as_ref(), current.as_ref());
        }
        Inner {
            name,
            id,
            span: chance::bits(),
            parent,
            previous: current,
            enabled,
            forks: fork::count(),
            start,
            began: Instant::now(),
            state: Mutex::default(),
        }
    }
}

fn sampled(
    who: &str,
    rate: f64,
    name: &Key,
    parent: Option<&Arc<Inner>>,
    current: Option<&Arc<Inner>>,
) -> bool {
    let dice = || chance::share() < rate;
    let by = match who {
        ".." => parent,
        "." => None,
        _ if who == name => None,
        _ => current.and_then(|current| names::find(who, current)),
    };
    let Some(by) = by else { return dice() };
    let mut state = by.lock();
    if let Some((_, decided)) = state.decided.iter().find(|(of, _)| of == name) {
        return *decided;
    }
    let decided = dice();
    state.decided.push((name.clone(), decided));
    decided
}

fn current() -> Option<Arc<Inner>> {
    STACK.try_with(|stack| stack.borrow().last().cloned()).ok().flatten()
}

/// A handle on an event in the making: writes into it, and makes it the current context. It does not end it, and does
/// nothing once it is over.
#[derive(Clone)]
pub struct Context(Option<Arc<Inner>>);

impl Context {
    /// The full name; empty where nothing is sent.
    pub fn name(&self) -> &str {
        self.0.as_ref().map_or("", |inner| &inner.name)
    }

    /// The id that all events of the tree share; `None` where nothing is sent.
    pub fn id(&self) -> Option<Value> {
        self.0.as_ref().map(|inner| inner.id.value())
    }

    /// Whether it will be sent, as far as is known by now: there is a receiver, and sampling kept it.
    pub fn is_enabled(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.enabled)
    }

    /// Whether there is an event behind it.
    pub(crate) fn is_begun(&self) -> bool {
        self.0.is_some()
    }

    /// Sets the value at `key`, in which dots nest. A write that cannot be made (a number within the key, a path through
    /// something that is no map) is left out and named in the body under `refused`.
    pub fn set(&self, key: impl Into<Key>, value: impl Into<Value>) {
        self.write(key, |body, key| body::set(body, key, value.into()));
    }

    /// Puts values into the map at `key`, which is made where there is none.
    pub fn merge<K: Into<Key>, V: Into<Value>>(
        &self,
        key: impl Into<Key>,
        values: impl IntoIterator<Item = (K, V)>,
    ) {
        self.write(key, |body, key| {
            let values = values.into_iter().map(|(key, value)| (key.into(), value.into()));
            body::merge(body, key, values.collect())
        });
    }

    /// Appends to the list at `key`, which is made where there is none.
    pub fn append(&self, key: impl Into<Key>, value: impl Into<Value>) {
        self.write(key, |body, key| body::append(body, key, value.into()));
    }

    /// Adds to the number at `key`, 0 where there is none.
    pub fn add(&self, key: impl Into<Key>, value: impl Into<Value>) {
        self.write(key, |body, key| body::add(body, key, &value.into()));
    }

    /// Puts the seconds from now until the timer is dropped at `key`.
    pub fn timeit(&self, key: impl Into<Key>) -> Timer {
        Timer { context: self.clone(), key: key.into(), began: Instant::now() }
    }

    fn write(&self, key: impl Into<Key>, work: impl FnOnce(&mut Body, Key) -> Result<(), Refused>) {
        let Some(inner) = self.0.as_ref().filter(|inner| inner.enabled) else { return };
        let key = key.into();
        let mut state = inner.lock();
        if state.over {
            return;
        }
        let named = key.clone();
        if let Err(refused) = work(&mut state.body, key) {
            note(&mut state.body, &named, &refused);
        }
    }

    /// Makes it the current context of this thread until the scope is dropped.
    pub fn enter(&self) -> Scope {
        if let Some(inner) = &self.0 {
            let _ = STACK.try_with(|stack| stack.borrow_mut().push(inner.clone()));
        }
        Scope { context: self.clone(), here: PhantomData }
    }

    /// The future with this as the current context wherever it runs; for tasks that are spawned.
    pub fn carry<F: Future>(&self, future: F) -> Carried<F> {
        Carried { context: self.clone(), _event: None, future: Box::pin(future) }
    }

    /// What leaves this thread's stack when a scope or a span ends, which need not be the last.
    pub(crate) fn leave(&self) {
        let Some(inner) = &self.0 else { return };
        let left = STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let at = stack.iter().rposition(|one| Arc::ptr_eq(one, inner))?;
            Some(stack.remove(at))
        });
        // Dropped only here, when the stack is free again.
        drop(left);
    }

    /// The innermost context of this thread that is called so, seen from this one.
    fn find(&self, name: &str) -> Option<Context> {
        names::find(name, self.0.as_ref()?).map(|inner| Context(Some(inner.clone())))
    }
}

/// Tells in the body what could not be written.
fn note(body: &mut Body, key: &str, why: &Refused) {
    let words = Value::from(format!("{key}: {why}"));
    match body.iter_mut().find(|(name, _)| name == "refused") {
        Some((_, Value::List(list))) if list.len() < REFUSED_MOST => list.push(words),
        Some(_) => {}
        None => body.push(("refused".into(), Value::List(vec![words]))),
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.name()).finish()
    }
}

/// An event that runs: when it is dropped it ends and is sent. Everything that a [`Context`] does it does, too.
#[derive(Debug)]
#[must_use = "the event ends when it is dropped"]
pub struct Event(Context);

impl Event {
    /// Ends the event and sends it.
    pub fn done(self) {}

    /// Ends the event without sending it.
    pub fn discard(self) {
        if let Some(inner) = &self.0.0 {
            inner.finish(false);
        }
    }

    /// The future with this event as its current context; the event ends when the future does, or is dropped.
    pub fn follow<F: Future>(self, future: F) -> Carried<F> {
        Carried { context: self.0.clone(), _event: Some(self), future: Box::pin(future) }
    }
}

impl Deref for Event {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if let Some(inner) = &self.0.0 {
            inner.finish(true);
        }
    }
}

/// An event that runs and is the current context of this thread until it is dropped.
#[derive(Debug)]
#[must_use = "the event ends when it is dropped"]
pub struct Entered {
    // In this order: the event ends when it is not current any more.
    #[expect(dead_code, reason = "is there to be dropped")]
    scope: Scope,
    event: Event,
}

impl Deref for Entered {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

/// While it lives a context is the current one of the thread.
#[derive(Debug)]
#[must_use = "the context is current until this is dropped"]
pub struct Scope {
    context: Context,
    /// It belongs to the thread's stack.
    here: PhantomData<*const ()>,
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.context.leave();
    }
}

/// Measures until it is dropped.
#[derive(Debug)]
#[must_use = "the time is taken when it is dropped"]
pub struct Timer {
    context: Context,
    key: Key,
    began: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.context.set(std::mem::take(&mut self.key), self.began.elapsed());
    }
}

/// A future that has a context of its own wherever it runs.
#[must_use = "futures do nothing unless they are polled"]
pub struct Carried<F> {
    context: Context,
    // The future is dropped before the event ends.
    future: Pin<Box<F>>,
    _event: Option<Event>,
}

impl<F> fmt::Debug for Carried<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("context", &self.context).finish_non_exhaustive()
    }
}

impl<F: Future> Future for Carried<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let _scope = self.context.enter();
        self.future.as_mut().poll(task)
    }
}

/// Begins an event and makes it the current context of this thread, until it is dropped.
pub fn context(name: impl Into<Key>) -> Entered {
    Builder::new(name).enter()
}

/// Begins an event without making it the current context: for futures ([`Event::follow`]) and for work on several threads.
pub fn begin(name: impl Into<Key>) -> Event {
    Builder::new(name).begin()
}

/// The innermost context of this thread; one that does nothing where there is none.
pub fn current_context() -> Context {
    Context(if configure::is_on() { current() } else { None })
}

/// `.` the current context, `..` the one around it, `^` the outermost, else the innermost that bears the name.
pub fn find_context(name: &str) -> Option<Context> {
    current_context().find(name)
}

/// Forgets the contexts of this thread; those that still run are ended by whoever holds them.
pub fn clear_contexts() {
    let forgotten = STACK.try_with(RefCell::take);
    drop(forgotten);
}

/// [`Context::set`] on the current context; nothing without one.
pub fn set(key: impl Into<Key>, value: impl Into<Value>) {
    current_context().set(key, value);
}

/// [`Context::append`] on the current context; nothing without one.
pub fn append(key: impl Into<Key>, value: impl Into<Value>) {
    current_context().append(key, value);
}

/// [`Context::add`] on the current context; nothing without one.
pub fn add(key: impl Into<Key>, value: impl Into<Value>) {
    current_context().add(key, value);
}

/// Puts the seconds from now until the timer is dropped into the current context.
pub fn timeit(key: impl Into<Key>) -> Timer {
    current_context().timeit(key)
}

/// A line of a log as an event `.log` below the current context: `level` as the program calls it, `name` of the logger or
/// module. What logs by `tracing` does this by the [`Layer`](crate::Layer).
pub fn log(level: impl Into<Value>, name: impl Into<Value>, message: impl Into<Value>) {
    Builder::new(".log").instant(|event| {
        event.set("name", name);
        event.set("level", level);
        event.set("msg", message);
    });
}
