//! Which of `Send`, `Sync`, `Unpin`, `UnwindSafe` and `RefUnwindSafe` each public type has, for
//! payloads that have all of them, none of `Send`, or none of `Sync`. Checked by the compiler.
//!
//! A guard that is `Sync` for a payload that is only `Send`, or `Send` for one that is only `Sync`,
//! is a hole that several libraries have had: each combination stands here by name.

use crate::*;
use std::cell::{Cell, UnsafeCell};
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Has everything.
type All = u8;
/// `Send`, not `Sync`.
type NotSync = Cell<u8>;
/// `Sync`, not `Send`.
struct NotSend(#[allow(dead_code)] PhantomData<std::sync::MutexGuard<'static, u8>>);
/// Neither.
type Neither = *const u8;
/// Not `Unpin`.
type Pinned = PhantomPinned;

const _: () = {
    const fn sync<T: Sync>() {}
    const fn send<T: Send>() {}
    sync::<NotSend>();
    send::<NotSync>();
};

/// Fails to compile, because of an ambiguity, where the type has the trait.
macro_rules! lacks {
    ($type:ty: $($trait:ident)*) => {$(
        const _: fn() = || {
            trait AmbiguousIfHas<A> {
                fn check() {}
            }
            impl<T: ?Sized> AmbiguousIfHas<()> for T {}
            #[allow(dead_code)]
            struct Has;
            impl<T: ?Sized + $trait> AmbiguousIfHas<Has> for T {}
            let _ = <$type as AmbiguousIfHas<_>>::check;
        };
    )*};
}

macro_rules! has {
    ($type:ty: $($trait:ident)*) => {$(
        const _: fn() = || {
            fn check<T: ?Sized + $trait>() {}
            let _ = check::<$type>;
        };
    )*};
}

/// A type with a payload: what it has for a payload with everything, and then which of `Send` and
/// `Sync` it has for the other payloads.
macro_rules! row {
    (
        $($type:ident)::+,
        NotSync: [$($of_not_sync:ident)*], not [$($no_not_sync:ident)*],
        NotSend: [$($of_not_send:ident)*], not [$($no_not_send:ident)*]
    ) => {
        has!($($type)::+<All>: Send Sync Unpin);
        has!($($type)::+<NotSync>: $($of_not_sync)*);
        lacks!($($type)::+<NotSync>: $($no_not_sync)*);
        has!($($type)::+<NotSend>: $($of_not_send)*);
        lacks!($($type)::+<NotSend>: $($no_not_send)*);
        lacks!($($type)::+<Neither>: Send Sync);
    };
}

// ---- Channels: shared by handing values over, so `Send` is all they ask. ----
row!(oneshot::Sender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(oneshot::Receiver, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::Sender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::WeakSender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::Receiver, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::UnboundedSender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::WeakUnboundedSender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::UnboundedReceiver, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(mpsc::OwnedPermit, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(broadcast::Sender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(broadcast::WeakSender, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(broadcast::Receiver, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
// The watch channel gives out references to one value on several threads.
row!(watch::Sender, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);
row!(watch::Receiver, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);

type Permit<T> = mpsc::Permit<'static, T>;
type PermitIterator<T> = mpsc::PermitIterator<'static, T>;
row!(Permit, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(PermitIterator, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);

type Ref<T> = watch::Ref<'static, T>;
has!(Ref<All>: Sync Unpin);
lacks!(Ref<All>: Send UnwindSafe RefUnwindSafe);
lacks!(Ref<NotSync>: Sync);
has!(Ref<NotSend>: Sync);

// ---- Locks ----
row!(Mutex, NotSync: [Send Sync], not [], NotSend: [], not [Send Sync]);
row!(RwLock, NotSync: [Send], not [Sync], NotSend: [], not [Send Sync]);
row!(OnceCell, NotSync: [Send], not [Sync], NotSend: [], not [Send Sync]);
row!(SetOnce, NotSync: [Send], not [Sync], NotSend: [], not [Send Sync]);

type Guard<T> = MutexGuard<'static, T>;
type Mapped<T> = MappedMutexGuard<'static, T>;
type Read<T> = RwLockReadGuard<'static, T>;
type Write<T> = RwLockWriteGuard<'static, T>;
type MappedWrite<T> = RwLockMappedWriteGuard<'static, T>;
row!(Guard, NotSync: [Send], not [Sync], NotSend: [], not [Send Sync]);
row!(Mapped, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(OwnedMutexGuard, NotSync: [Send], not [Sync], NotSend: [], not [Send Sync]);
row!(OwnedMappedMutexGuard, NotSync: [Send], not [Sync], NotSend: [], not [Send Sync]);
row!(Read, NotSync: [], not [Send Sync], NotSend: [Send], not [Sync]);
row!(Write, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);
row!(MappedWrite, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);
row!(OwnedRwLockReadGuard, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);
row!(OwnedRwLockWriteGuard, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);
row!(OwnedRwLockMappedWriteGuard, NotSync: [], not [Send Sync], NotSend: [], not [Send Sync]);

// Guards of one payload that give access to another.
has!(OwnedMappedMutexGuard<NotSync, All>: Send);
lacks!(OwnedMappedMutexGuard<NotSync, All>: Sync);
lacks!(OwnedMappedMutexGuard<NotSend, All>: Send Sync);
lacks!(OwnedMappedMutexGuard<All, NotSend>: Send Sync);
lacks!(OwnedMappedMutexGuard<All, NotSync>: Sync);
has!(OwnedRwLockReadGuard<All, NotSend>: Send);
lacks!(OwnedRwLockReadGuard<All, NotSend>: Sync);
lacks!(OwnedRwLockReadGuard<All, NotSync>: Send Sync);
lacks!(OwnedRwLockReadGuard<NotSend, All>: Send Sync);
lacks!(OwnedRwLockMappedWriteGuard<All, NotSync>: Send Sync);
lacks!(OwnedRwLockMappedWriteGuard<All, NotSend>: Send Sync);

// ---- Without a payload ----
has!(Notify: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(Semaphore: Send Sync Unpin);
has!(SemaphorePermit<'static>: Send Sync Unpin);
has!(OwnedSemaphorePermit: Send Sync Unpin);
has!(Barrier: Send Sync Unpin);
has!(BarrierWaitResult: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(Condvar: Send Sync Unpin);
has!(futures::Notified<'static>: Send Sync);
has!(futures::OwnedNotified: Send Sync);
lacks!(futures::Notified<'static>: Unpin UnwindSafe RefUnwindSafe);
lacks!(futures::OwnedNotified: Unpin UnwindSafe RefUnwindSafe);
lacks!(Semaphore: UnwindSafe RefUnwindSafe);
lacks!(SemaphorePermit<'static>: UnwindSafe RefUnwindSafe);
lacks!(OwnedSemaphorePermit: UnwindSafe RefUnwindSafe);
lacks!(Barrier: UnwindSafe RefUnwindSafe);

// ---- Unwinding ----
has!(mpsc::Sender<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(mpsc::Receiver<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(mpsc::WeakSender<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(mpsc::UnboundedSender<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(mpsc::UnboundedReceiver<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(mpsc::WeakUnboundedSender<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(mpsc::OwnedPermit<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(Permit<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
has!(PermitIterator<UnsafeCell<u8>>: UnwindSafe RefUnwindSafe);
lacks!(oneshot::Sender<All>: UnwindSafe RefUnwindSafe);
lacks!(oneshot::Receiver<All>: UnwindSafe RefUnwindSafe);
lacks!(broadcast::Sender<All>: UnwindSafe RefUnwindSafe);
lacks!(broadcast::WeakSender<All>: UnwindSafe RefUnwindSafe);
lacks!(broadcast::Receiver<All>: UnwindSafe RefUnwindSafe);
lacks!(watch::Sender<All>: UnwindSafe RefUnwindSafe);
lacks!(watch::Receiver<All>: UnwindSafe RefUnwindSafe);
lacks!(Mutex<All>: UnwindSafe RefUnwindSafe);
lacks!(RwLock<All>: UnwindSafe RefUnwindSafe);
lacks!(OnceCell<All>: UnwindSafe RefUnwindSafe);
has!(SetOnce<All>: UnwindSafe);
lacks!(SetOnce<All>: RefUnwindSafe);
lacks!(Guard<All>: UnwindSafe RefUnwindSafe);
lacks!(Mapped<All>: UnwindSafe RefUnwindSafe);
lacks!(OwnedMutexGuard<All>: UnwindSafe RefUnwindSafe);
lacks!(OwnedMappedMutexGuard<All>: UnwindSafe RefUnwindSafe);
lacks!(Read<All>: UnwindSafe RefUnwindSafe);
lacks!(Write<All>: UnwindSafe RefUnwindSafe);
lacks!(MappedWrite<All>: UnwindSafe RefUnwindSafe);
lacks!(OwnedRwLockReadGuard<All>: UnwindSafe RefUnwindSafe);
lacks!(OwnedRwLockWriteGuard<All>: UnwindSafe RefUnwindSafe);
lacks!(OwnedRwLockMappedWriteGuard<All>: UnwindSafe RefUnwindSafe);

// ---- Pinning ----
has!(Guard<Pinned>: Unpin);
has!(Mapped<Pinned>: Unpin);
has!(OwnedMutexGuard<Pinned>: Unpin);
has!(OwnedMappedMutexGuard<Pinned>: Unpin);
has!(Read<Pinned>: Unpin);
has!(Write<Pinned>: Unpin);
has!(MappedWrite<Pinned>: Unpin);
has!(mpsc::Sender<Pinned>: Unpin);
has!(mpsc::Receiver<Pinned>: Unpin);
has!(oneshot::Sender<Pinned>: Unpin);
has!(oneshot::Receiver<Pinned>: Unpin);
has!(broadcast::Receiver<Pinned>: Unpin);
has!(watch::Receiver<Pinned>: Unpin);
has!(Ref<Pinned>: Unpin);
lacks!(Mutex<Pinned>: Unpin);
lacks!(RwLock<Pinned>: Unpin);
lacks!(OnceCell<Pinned>: Unpin);
lacks!(SetOnce<Pinned>: Unpin);
lacks!(OwnedRwLockReadGuard<Pinned>: Unpin);
lacks!(OwnedRwLockWriteGuard<Pinned>: Unpin);
lacks!(OwnedRwLockMappedWriteGuard<Pinned>: Unpin);
has!(OwnedRwLockReadGuard<All, Pinned>: Unpin);
has!(OwnedRwLockMappedWriteGuard<All, Pinned>: Unpin);

// ---- Errors ----
has!(AcquireError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(TryAcquireError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(TryLockError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(oneshot::error::RecvError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(oneshot::error::TryRecvError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(mpsc::error::TryRecvError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(broadcast::error::RecvError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(broadcast::error::TryRecvError: Send Sync Unpin UnwindSafe RefUnwindSafe);
has!(watch::error::RecvError: Send Sync Unpin UnwindSafe RefUnwindSafe);
row!(mpsc::error::SendError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(mpsc::error::TrySendError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(mpsc::error::SendTimeoutError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(broadcast::error::SendError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(watch::error::SendError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(SetError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);
row!(SetOnceError, NotSync: [Send], not [Sync], NotSend: [Sync], not [Send]);

/// The futures of async methods: what they are, and that they are not `Unpin`.
#[allow(dead_code)]
fn futures_of_methods() {
    fn check<F: Future + Send + Sync>(_: fn() -> F) {}
    fn make<T>() -> T {
        unreachable!("only the compiler looks at this")
    }
    // A future that is `Unpin` makes this call ambiguous.
    trait NotUnpin<A> {
        fn not_unpin(&self) {}
    }
    struct IsUnpin;
    impl<T> NotUnpin<()> for T {}
    impl<T: Unpin> NotUnpin<IsUnpin> for T {}

    macro_rules! future {
        ($($future:expr),* $(,)?) => {$(
            check(|| $future);
            if false {
                NotUnpin::<_>::not_unpin(&$future);
            }
        )*};
    }
    future!(
        make::<&'static Mutex<NotSync>>().lock(),
        make::<Arc<Mutex<NotSync>>>().lock_owned(),
        make::<&'static RwLock<u8>>().read(),
        make::<&'static RwLock<u8>>().write(),
        make::<&'static Semaphore>().acquire(),
        make::<&'static Notify>().notified(),
        make::<&'static Barrier>().wait(),
        make::<&'static SetOnce<u8>>().wait(),
        make::<&'static mut oneshot::Sender<NotSync>>().closed(),
        make::<&'static mut mpsc::Receiver<NotSync>>().recv(),
        make::<&'static mpsc::Sender<u8>>().send(1),
        make::<&'static mpsc::Sender<NotSync>>().reserve(),
        make::<mpsc::Sender<NotSync>>().reserve_owned(),
        make::<&'static mpsc::Sender<NotSync>>().closed(),
        make::<&'static mut broadcast::Receiver<NotSync>>().recv(),
        make::<&'static mut watch::Receiver<u8>>().changed(),
        make::<&'static watch::Sender<u8>>().closed(),
    );
}

use zokio_base::sync::Arc;
