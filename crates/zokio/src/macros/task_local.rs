//! `task_local!`, [`LocalKey`] and [`TaskLocalFuture`].
//!
//! A task's value lives in its [`TaskLocalFuture`]. While that is polled, and while it drops what it
//! wraps, the value is swapped into a thread-local slot, where the key finds it.

use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::LocalKey as ThreadLocal;

/// Declares keys of task-local values, each of type [`LocalKey`](crate::task::LocalKey).
///
/// # Examples
/// ```
/// zokio::task_local! {
///     /// Which request this task is about.
///     pub static REQUEST: u32;
///     static USER: String;
/// }
///
/// # async fn demo() {
/// REQUEST.scope(7, async {
///     assert_eq!(REQUEST.get(), 7);
/// }).await;
/// # }
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty; $($rest:tt)*) => {
        $crate::task_local!(@key [$(#[$attribute])*] [$visibility] $name, $type);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty) => {
        $crate::task_local!(@key [$(#[$attribute])*] [$visibility] $name, $type);
    };
    (@key [$($attribute:tt)*] [$visibility:vis] $name:ident, $type:ty) => {
        $($attribute)*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static SLOT: ::core::cell::RefCell<::core::option::Option<$type>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }
            $crate::task::LocalKey { inner: SLOT }
        };
    };
}

/// The key of a task-local value. Declared with [`task_local!`](crate::task_local).
///
/// A value is set for the duration of a future ([`scope`](Self::scope)) or a closure
/// ([`sync_scope`](Self::sync_scope)), and only there. Tasks that are spawned inside do not inherit it.
///
/// # Examples
/// ```
/// zokio::task_local! {
///     static NUMBER: u32;
/// }
///
/// # async fn demo() {
/// NUMBER.scope(1, async {
///     NUMBER.scope(2, async { assert_eq!(NUMBER.get(), 2) }).await;
///     assert_eq!(NUMBER.get(), 1);
/// }).await;
/// assert!(NUMBER.try_get().is_err());
/// # }
/// ```
pub struct LocalKey<T: 'static> {
    #[doc(hidden)]
    pub inner: ThreadLocal<RefCell<Option<T>>>,
}

/// Why a scope cannot be entered.
enum ScopeError {
    Borrowed,
    ThreadGone,
}

impl ScopeError {
    #[track_caller]
    fn panic(self) -> ! {
        match self {
            Self::Borrowed => {
                panic!("cannot enter a task-local scope while the task-local storage is borrowed")
            }
            Self::ThreadGone => panic!(
                "cannot enter a task-local scope during or after destruction of the underlying \
                 thread-local"
            ),
        }
    }
}

impl<T: 'static> LocalKey<T> {
    /// Sets the value for as long as `future` runs.
    ///
    /// The value is there too while `future` is dropped, and goes with it.
    ///
    /// # Examples
    /// ```
    /// zokio::task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// # async fn demo() {
    /// NUMBER.scope(1, async { println!("number {}", NUMBER.get()) }).await;
    /// # }
    /// ```
    pub fn scope<F>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F>
    where
        F: Future,
    {
        TaskLocalFuture {
            key: self,
            value: Some(value),
            future: Some(future),
            _pinned: PhantomPinned,
        }
    }

    /// Sets the value for as long as `f` runs.
    ///
    /// # Panics
    /// From inside of [`with`](Self::with) of the same key, and in a thread-local's destructor.
    ///
    /// # Examples
    /// ```
    /// zokio::task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// assert_eq!(NUMBER.sync_scope(1, || NUMBER.get() + 1), 2);
    /// ```
    #[track_caller]
    pub fn sync_scope<F, R>(&'static self, value: T, f: F) -> R
    where
        F: FnOnce() -> R,
    {
        let mut value = Some(value);
        match self.swapped(&mut value, f) {
            Ok(result) => result,
            Err(error) => error.panic(),
        }
    }

    /// Calls `f` with `value` in the slot, and puts what was there back afterwards.
    fn swapped<R>(
        &'static self,
        value: &mut Option<T>,
        f: impl FnOnce() -> R,
    ) -> Result<R, ScopeError> {
        struct Restore<'a, T: 'static> {
            key: &'static LocalKey<T>,
            value: &'a mut Option<T>,
        }
        impl<T> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                // The slot was there and not borrowed when the scope began, and a borrow does not
                // outlive `f`.
                let restored = self.key.swap(self.value);
                debug_assert!(restored.is_ok());
            }
        }
        self.swap(value)?;
        let _restore = Restore { key: self, value };
        Ok(f())
    }

    fn swap(&'static self, value: &mut Option<T>) -> Result<(), ScopeError> {
        let swapped = self.inner.try_with(|slot| {
            let mut slot = slot.try_borrow_mut().map_err(|_| ScopeError::Borrowed)?;
            std::mem::swap(&mut *slot, value);
            Ok(())
        });
        swapped.unwrap_or(Err(ScopeError::ThreadGone))
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    /// If no value is set.
    #[track_caller]
    pub fn with<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    /// If no value is set.
    pub fn try_with<F, R>(&'static self, f: F) -> Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        let result = self
            .inner
            .try_with(|slot| slot.borrow().as_ref().map(f))
            .ok();
        result.flatten().ok_or(AccessError(()))
    }

    /// A copy of the value.
    ///
    /// # Panics
    /// If no value is set.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// A copy of the value.
    ///
    /// # Errors
    /// If no value is set.
    pub fn try_get(&'static self) -> Result<T, AccessError>
    where
        T: Clone,
    {
        self.try_with(T::clone)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("LocalKey { .. }")
    }
}

pin_project! {
    /// A future with a task-local value. Made by [`LocalKey::scope`].
    ///
    /// # Examples
    /// ```
    /// zokio::task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// # fn demo() -> impl Future<Output = ()> {
    /// NUMBER.scope(1, async { println!("number {}", NUMBER.get()) })
    /// # }
    /// ```
    pub struct TaskLocalFuture<T, F>
    where
        T: 'static,
    {
        key: &'static LocalKey<T>,
        value: Option<T>,
        #[pin]
        future: Option<F>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if this.future.is_none() {
                return;
            }
            // If the scope cannot be entered the future is dropped without it, like any field.
            let mut future = this.future;
            let _ = this.key.swapped(this.value, || future.set(None));
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out. The future then runs without it.
    ///
    /// # Examples
    /// ```
    /// zokio::task_local! {
    ///     static NUMBER: u32;
    /// }
    ///
    /// # async fn demo() {
    /// let mut future = Box::pin(NUMBER.scope(1, async {}));
    /// future.as_mut().await;
    /// assert_eq!(future.as_mut().take_value(), Some(1));
    /// # }
    /// ```
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut future = this.future;
        let polled = this.key.swapped(this.value, || {
            let polled = future.as_mut().as_pin_mut()?.poll(cx);
            if polled.is_ready() {
                // Dropped here, where it still sees the value.
                future.set(None);
            }
            Some(polled)
        });
        match polled {
            Ok(Some(polled)) => polled,
            Ok(None) => panic!("a `TaskLocalFuture` was polled after it was done"),
            Err(error) => error.panic(),
        }
    }
}

impl<T: fmt::Debug + 'static, F> fmt::Debug for TaskLocalFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture")
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// A task-local value was asked for where none is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Debug for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessError").finish()
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot access a task-local storage value without setting it first")
    }
}

impl Error for AccessError {}
