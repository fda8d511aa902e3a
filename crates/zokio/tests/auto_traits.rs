//! The auto traits of every public type, as Tokio documents them, for payloads that lack one each.
//!
//! The compiler answers whether a concrete type has a trait: an associated constant of a type is
//! preferred to that of a trait, and exists only where its bounds hold ([`probe!`]). So the table says
//! what a type must have *and* what it must not have, and a difference is a failed test that names the
//! type, the payload and the trait. A guard that is `Sync` for a payload that is only `Send`, or `Send`
//! for one that is only `Sync`, is a hole that several libraries have had (RUSTSEC-2020-0059,
//! RUSTSEC-2020-0070, RUSTSEC-2020-0072).
#![cfg(unix)]

use std::cell::Cell;
use std::marker::{PhantomData, PhantomPinned};
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::MutexGuard;
use std::task::{Context, Poll};
use zokio::{fs, io, net, process, runtime, signal, sync, task, time};

/// Which auto traits a type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Has {
    send: bool,
    sync: bool,
    unpin: bool,
    unwind: bool,
    ref_unwind: bool,
}

impl From<[bool; 5]> for Has {
    fn from([send, sync, unpin, unwind, ref_unwind]: [bool; 5]) -> Self {
        Self {
            send,
            sync,
            unpin,
            unwind,
            ref_unwind,
        }
    }
}

/// The type that is asked about; each trait has an inherent constant on it, and this one where that is
/// missing.
#[allow(dead_code)]
struct Ask<T: ?Sized>(PhantomData<T>);

trait Lacks {
    const SEND: bool = false;
    const SYNC: bool = false;
    const UNPIN: bool = false;
    const UNWIND: bool = false;
    const REF_UNWIND: bool = false;
}
impl<T: ?Sized> Lacks for Ask<T> {}
impl<T: ?Sized + Send> Ask<T> {
    const SEND: bool = true;
}
impl<T: ?Sized + Sync> Ask<T> {
    const SYNC: bool = true;
}
impl<T: ?Sized + Unpin> Ask<T> {
    const UNPIN: bool = true;
}
impl<T: ?Sized + UnwindSafe> Ask<T> {
    const UNWIND: bool = true;
}
impl<T: ?Sized + RefUnwindSafe> Ask<T> {
    const REF_UNWIND: bool = true;
}

/// Asks for the traits of a concrete type. A macro, because in a generic function the answer would be that
/// of the function's bounds.
macro_rules! probe {
    ($type:ty) => {
        Has {
            send: Ask::<$type>::SEND,
            sync: Ask::<$type>::SYNC,
            unpin: Ask::<$type>::UNPIN,
            unwind: Ask::<$type>::UNWIND,
            ref_unwind: Ask::<$type>::REF_UNWIND,
        }
    };
}

// ---- Payloads ----

/// Declares a payload that has the auto traits of its content. It is a descriptor and a
/// future too, for the types that ask for that.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident, $content:ty) => {
        $(#[$doc])*
        #[allow(dead_code)]
        struct $name(PhantomData<$content>);

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                unreachable!("only the compiler looks at this")
            }
        }

        impl Future for $name {
            type Output = ();

            fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
                unreachable!("only the compiler looks at this")
            }
        }
    };
}

payload!(
    /// Has everything.
    All,
    u8
);
payload!(
    /// `Send`, and not `Sync`; a shared one does not survive a panic.
    NotSync,
    Cell<u8>
);
payload!(
    /// `Sync`, and not `Send`.
    NotSend,
    MutexGuard<'static, u8>
);
payload!(
    /// Neither.
    Neither,
    *const Cell<u8>
);
payload!(
    /// Must stay where it is.
    Pinned,
    PhantomPinned
);
payload!(
    /// Does not survive a panic, unless it is shared.
    NotUnwindSafe,
    &'static mut u8
);

#[test]
fn the_payloads_are_what_they_say_and_the_probe_sees_it() {
    assert_eq!(probe!(All), [true, true, true, true, true].into());
    assert_eq!(probe!(NotSync), [true, false, true, true, false].into());
    assert_eq!(probe!(NotSend), [false, true, true, true, true].into());
    assert_eq!(probe!(Neither), [false, false, true, false, false].into());
    assert_eq!(probe!(Pinned), [true, true, false, true, true].into());
    assert_eq!(
        probe!(NotUnwindSafe),
        [true, true, true, false, true].into()
    );
}

/// Collects the differences of one table.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, name: &str, payload: &str, found: Has, expected: Has) {
        if found != expected {
            self.0.push(format!(
                "{name} with {payload}:\n  is     {found:?}\n  not as {expected:?}"
            ));
        }
    }
}

impl Drop for Differences {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "\n{}", self.0.join("\n"));
        }
    }
}

#[test]
fn types_without_a_payload() {
    let mut differences = Differences::default();
    macro_rules! plain {
        ($has:expr; $($type:ty,)*) => {$(
            differences.compare(stringify!($type), "nothing", probe!($type), $has.into());
        )*};
    }
    // The order is Send, Sync, Unpin, UnwindSafe, RefUnwindSafe.
    // Send, Sync, Unpin, UnwindSafe, RefUnwindSafe
    plain!([true, true, true, true, true];
        fs::DirBuilder,
        fs::DirEntry,
        fs::FileTimes,
        fs::OpenOptions,
        io::Empty,
        io::Interest,
        io::Ready,
        io::Repeat,
        io::SimplexStream,
        io::Sink,
        io::Stderr,
        io::Stdin,
        io::Stdout,
        io::unix::TryIoError,
        net::TcpListener,
        net::TcpSocket,
        net::TcpStream,
        net::UdpSocket,
        net::UnixDatagram,
        net::UnixListener,
        net::UnixSocket,
        net::UnixStream,
        net::tcp::OwnedReadHalf,
        net::tcp::OwnedWriteHalf,
        net::tcp::ReadHalf<'static>,
        net::tcp::ReuniteError,
        net::tcp::WriteHalf<'static>,
        net::unix::OwnedReadHalf,
        net::unix::OwnedWriteHalf,
        net::unix::ReadHalf<'static>,
        net::unix::ReuniteError,
        net::unix::SocketAddr,
        net::unix::UCred,
        net::unix::WriteHalf<'static>,
        net::unix::pipe::OpenOptions,
        net::unix::pipe::Receiver,
        net::unix::pipe::Sender,
        process::ChildStderr,
        process::ChildStdin,
        process::ChildStdout,
        runtime::Handle,
        runtime::Id,
        runtime::Runtime,
        runtime::RuntimeFlavor,
        runtime::RuntimeMetrics,
        runtime::TryCurrentError,
        signal::unix::SignalKind,
        sync::AcquireError,
        sync::BarrierWaitResult,
        sync::Notify,
        sync::TryAcquireError,
        sync::TryLockError,
        sync::broadcast::error::RecvError,
        sync::broadcast::error::TryRecvError,
        sync::mpsc::error::TryRecvError,
        sync::oneshot::error::RecvError,
        sync::oneshot::error::TryRecvError,
        sync::watch::error::RecvError,
        task::AbortHandle,
        task::Id,
        time::Instant,
        time::MissedTickBehavior,
        time::error::Elapsed,
        time::error::Error,
        runtime::HistogramConfiguration,
        runtime::HistogramScale,
        runtime::InvalidHistogramConfiguration,
        runtime::LogHistogram,
        runtime::LogHistogramBuilder,
        runtime::RngSeed,
        runtime::TaskMeta,
        runtime::UnhandledPanic,
        task::Builder<'static>,
    );
    // Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe
    plain!([true, true, true, false, false];
        fs::File,
        fs::ReadDir,
        process::Command,
        runtime::Builder,
        sync::Barrier,
        sync::OwnedSemaphorePermit,
        sync::Semaphore,
        sync::SemaphorePermit<'static>,
        task::JoinError,
        time::Interval,
    );
    // Send, Sync, Unpin, !UnwindSafe, RefUnwindSafe
    plain!([true, true, true, false, true];
        io::ReadBuf<'static>,
    );
    // !Send, Sync, Unpin, !UnwindSafe, !RefUnwindSafe
    plain!([false, true, true, false, false];
        runtime::EnterGuard<'static>,
    );
    // !Send, !Sync, Unpin, UnwindSafe, RefUnwindSafe
    plain!([false, false, true, true, true];
        runtime::LocalOptions,
        runtime::LocalRuntime,
    );
    // Send, Sync, !Unpin, !UnwindSafe, !RefUnwindSafe
    plain!([true, true, false, false, false];
        sync::futures::Notified<'static>,
        sync::futures::OwnedNotified,
        time::Sleep,
    );
    // !Send, !Sync, Unpin, !UnwindSafe, !RefUnwindSafe
    plain!([false, false, true, false, false];
        task::LocalEnterGuard,
        task::LocalSet,
    );
    // !Send, !Sync, Unpin, UnwindSafe, !RefUnwindSafe
    plain!([false, false, true, true, false];
        task::coop::RestoreOnPending,
    );
    // Tokio does not have it.
    plain!([true, true, true, true, true];
        sync::Condvar,
    );
    // More than Tokio promises: nothing inside of them forbids it (docs/COMPAT.md).
    plain!([true, true, true, true, true];
        io::DuplexStream,
        process::Child,
        signal::unix::Signal,
    );
}

#[test]
#[allow(clippy::nonminimal_bool)]
fn types_with_a_payload() {
    let mut differences = Differences::default();
    // The traits of the type are a function of the traits of the payload `P`.
    macro_rules! generic {
        (|$p:ident| [$($rule:expr),*]; $($type:ty,)*) => {{
            #[allow(unused_variables)]
            let rule = |$p: Has| Has::from([$($rule),*]);
            $(
                generic!(@payload rule, $type, All);
                generic!(@payload rule, $type, NotSync);
                generic!(@payload rule, $type, NotSend);
                generic!(@payload rule, $type, Neither);
                generic!(@payload rule, $type, Pinned);
                generic!(@payload rule, $type, NotUnwindSafe);
            )*
        }};
        (@payload $rule:ident, $type:ty, $payload:ident) => {{
            // The alias that the type is written with.
            type P = $payload;
            let (name, expected) = (stringify!($type), $rule(probe!(P)));
            differences.compare(name, stringify!($payload), probe!($type), expected);
        }};
    }
    generic!(|p| [p.send, p.sync, p.unpin, p.unwind, p.ref_unwind];
        io::BufReader<P>,
        io::BufStream<P>,
        io::BufWriter<P>,
        io::Chain<P, All>,
        io::Chain<All, P>,
        io::Join<P, All>,
        io::Join<All, P>,
        io::Lines<P>,
        io::Split<P>,
        io::Take<P>,
        sync::SetError<P>,
        sync::SetOnceError<P>,
        sync::broadcast::error::SendError<P>,
        sync::mpsc::error::SendError<P>,
        sync::mpsc::error::SendTimeoutError<P>,
        sync::mpsc::error::TrySendError<P>,
        sync::watch::error::SendError<P>,
        task::coop::Coop<P>,
        task::coop::Unconstrained<P>,
    );
    generic!(|p| [p.send, p.sync, true, true, true];
        io::ReadHalf<P>,
        io::WriteHalf<P>,
    );
    generic!(|p| [p.send, p.sync, p.unpin, false, false];
        io::unix::AsyncFdRegisterError<P>,
    );
    generic!(|p| [p.send, p.sync, true, false, false];
        sync::MappedMutexGuard<'static, P>,
    );
    generic!(|p| [p.send, p.send, p.unpin, false, false];
        sync::Mutex<P>,
    );
    generic!(|p| [p.send, p.send && p.sync, true, false, false];
        sync::MutexGuard<'static, P>,
        sync::OwnedMappedMutexGuard<P, All>,
        sync::OwnedMappedMutexGuard<All, P>,
        sync::OwnedMutexGuard<P>,
    );
    generic!(|p| [p.send, p.send && p.sync, p.unpin, false, false];
        sync::OnceCell<P>,
        sync::RwLock<P>,
    );
    generic!(|p| [p.send && p.sync, p.send && p.sync, p.unpin, false, false];
        sync::OwnedRwLockMappedWriteGuard<P, All>,
        sync::OwnedRwLockReadGuard<P, All>,
        sync::OwnedRwLockWriteGuard<P>,
    );
    generic!(|p| [p.send && p.sync, p.send && p.sync, true, false, false];
        sync::OwnedRwLockMappedWriteGuard<All, P>,
        sync::RwLockMappedWriteGuard<'static, P>,
        sync::RwLockWriteGuard<'static, P>,
        sync::watch::Receiver<P>,
        sync::watch::Sender<P>,
    );
    generic!(|p| [p.sync, p.send && p.sync, true, false, false];
        sync::OwnedRwLockReadGuard<All, P>,
        sync::RwLockReadGuard<'static, P>,
    );
    generic!(|p| [p.send, p.send && p.sync, p.unpin, p.unwind, false];
        sync::SetOnce<P>,
    );
    generic!(|p| [p.send, p.send, true, false, false];
        sync::broadcast::Receiver<P>,
        sync::broadcast::Sender<P>,
        sync::broadcast::WeakSender<P>,
        sync::oneshot::Receiver<P>,
        sync::oneshot::Sender<P>,
        task::JoinSet<P>,
        task::join_set::Builder<'static, P>,
    );
    generic!(|p| [p.send, p.send, true, true, true];
        sync::mpsc::OwnedPermit<P>,
        sync::mpsc::Permit<'static, P>,
        sync::mpsc::PermitIterator<'static, P>,
        sync::mpsc::Receiver<P>,
        sync::mpsc::Sender<P>,
        sync::mpsc::UnboundedReceiver<P>,
        sync::mpsc::UnboundedSender<P>,
        sync::mpsc::WeakSender<P>,
        sync::mpsc::WeakUnboundedSender<P>,
        task::JoinHandle<P>,
    );
    generic!(|p| [false, p.sync, true, false, false];
        sync::watch::Ref<'static, P>,
    );
    generic!(|p| [true, true, true, true, true];
        task::LocalKey<P>,
    );
    // Always to be pinned, whatever it holds.
    generic!(|p| [p.send, p.sync, false, p.unwind, p.ref_unwind];
        task::futures::TaskLocalFuture<P, All>,
        task::futures::TaskLocalFuture<All, P>,
    );
    // More than Tokio promises: unwinding is up to the descriptor alone (docs/COMPAT.md).
    generic!(|p| [p.send, p.sync, p.unpin, p.unwind, p.ref_unwind];
        io::unix::AsyncFd<P>,
    );
    generic!(|p| [p.sync, p.sync, true, p.ref_unwind, p.ref_unwind];
        io::unix::AsyncFdReadyGuard<'static, P>,
    );
    generic!(|p| [p.send, p.sync, true, false, p.ref_unwind];
        io::unix::AsyncFdReadyMutGuard<'static, P>,
    );
    // It has a `Sleep` of its own, which is pinned.
    generic!(|p| [p.send, p.sync, false, false, false];
        time::Timeout<P>,
    );
}
