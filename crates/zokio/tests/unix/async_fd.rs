//! `AsyncFd`: what can be registered, how often, and waiting for it to be ready.

use crate::kit::{Counter, assert_kind, assert_would_block, now, on_both, run, settle, single};
use std::error::Error;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Context;
use zokio::io::unix::AsyncFd;
use zokio::io::{Interest, Ready};
use zokio::net::unix::pipe;
use zokio::runtime::Builder;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Two ends of a connection that do not block.
pub fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// A watched end of a connection, and the other one.
pub fn watched() -> (AsyncFd<UnixStream>, UnixStream) {
    let (near, far) = pair();
    // SAFETY: the stream keeps its descriptor until it is dropped.
    (unsafe { AsyncFd::register(near) }.unwrap(), far)
}

type Way<T> = Box<dyn Fn(T) -> io::Result<AsyncFd<T>>>;

/// Each way to register, with the error that has the least in it.
#[allow(deprecated)] // They are still there, and have to work.
fn ways<T: AsRawFd + 'static>(interest: Interest) -> Vec<Way<T>> {
    let mut ways: Vec<Way<T>> = vec![
        Box::new(move |inner| AsyncFd::with_interest(inner, interest)),
        Box::new(move |inner| Ok(AsyncFd::try_with_interest(inner, interest)?)),
        // SAFETY: what is registered here keeps its descriptor until it is dropped.
        Box::new(move |inner| Ok(unsafe { AsyncFd::register_with_interest(inner, interest) }?)),
    ];
    if interest == BOTH {
        ways.push(Box::new(AsyncFd::new));
        ways.push(Box::new(|inner| Ok(AsyncFd::try_new(inner)?)));
        // SAFETY: as above.
        ways.push(Box::new(|inner| Ok(unsafe { AsyncFd::register(inner) }?)));
    }
    ways
}

#[test]
fn what_was_registered_for_is_what_it_becomes_ready_for() {
    on_both(|| async {
        for way in ways(BOTH) {
            let (near, mut far) = pair();
            far.write_all(b"x").unwrap();
            let near = way(near).unwrap();
            assert!(near.readable().await.unwrap().ready().is_readable());
            assert!(near.writable().await.unwrap().ready().is_writable());
        }
        for way in ways(Interest::READABLE) {
            let (near, mut far) = pair();
            far.write_all(b"x").unwrap();
            let near = way(near).unwrap();
            near.readable().await.unwrap().retain_ready();
            // It has room for sure, but nobody asked for that.
            assert_would_block(near.try_io(Interest::WRITABLE, |_| Ok(())));
        }
        for way in ways(Interest::WRITABLE) {
            let (near, mut far) = pair();
            far.write_all(b"x").unwrap();
            let near = way(near).unwrap();
            near.writable().await.unwrap().retain_ready();
            assert_would_block(near.try_io(Interest::READABLE, |_| Ok(())));
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_is_refused_by_every_way_to_register() {
    run(async {
        for way in ways(BOTH) {
            let error = way(tempfile::tempfile().unwrap()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
#[allow(deprecated)]
fn the_object_comes_back_with_the_error() {
    run(async {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"mine").unwrap();
        let number = file.as_raw_fd();
        let error = AsyncFd::try_new(file).unwrap_err();
        let (file, cause) = error.into_parts();
        assert_eq!((file.as_raw_fd(), cause.raw_os_error()), (number, Some(1)));
        let error = AsyncFd::try_with_interest(file, Interest::READABLE).unwrap_err();
        // It says what the system said.
        assert_eq!(error.to_string(), cause.to_string());
        assert_eq!(format!("{error:?}"), format!("{cause:?}"));
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), cause.raw_os_error());
        let (file, _) = error.into_parts();
        // SAFETY: the file keeps its descriptor until it is dropped.
        let error = unsafe { AsyncFd::register_with_interest(file, Interest::WRITABLE) };
        let (file, _) = error.unwrap_err().into_parts();
        assert_eq!(file.metadata().unwrap().len(), 4);
    });
}

#[test]
fn outside_of_a_runtime_and_without_io_it_panics() {
    let message = |result: std::thread::Result<io::Result<AsyncFd<UnixStream>>>| {
        let payload = result.unwrap_err();
        match payload.downcast_ref::<String>() {
            Some(message) => message.clone(),
            None => (*payload.downcast_ref::<&str>().unwrap()).to_owned(),
        }
    };
    for way in ways(BOTH) {
        let panicked = catch_unwind(AssertUnwindSafe(|| way(pair().0)));
        assert!(message(panicked).contains("there is no reactor running"));
        let runtime = Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let panicked = catch_unwind(AssertUnwindSafe(|| way(pair().0)));
        assert!(message(panicked).contains("IO is disabled"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_taken_out_can_be_registered_again_and_what_was_not_cannot() {
    run(async {
        let (near, _far) = pair();
        let mut near = near;
        for _ in 0..3 {
            // SAFETY: the stream keeps its descriptor until it is dropped.
            let fd = unsafe { AsyncFd::register(near) }.unwrap();
            fd.writable().await.unwrap().retain_ready();
            // SAFETY: it borrows, and does not outlive what it borrows from.
            let again = unsafe { AsyncFd::register(fd.as_fd()) };
            assert_kind(again.map_err(io::Error::from), ErrorKind::AlreadyExists);
            near = fd.into_inner();
        }
        // Dropping takes it out as well.
        for _ in 0..3 {
            // SAFETY: as above.
            let fd = unsafe { AsyncFd::register(near.as_fd()) }.unwrap();
            fd.writable().await.unwrap().retain_ready();
        }
        near.write_all(b"still open").unwrap();
    });
}

#[test]
fn the_object_is_there_and_its_descriptor_is_the_handle_s() {
    run(async {
        let (near, mut far) = pair();
        let number = near.as_raw_fd();
        // SAFETY: the stream keeps its descriptor until it is dropped.
        let mut fd = unsafe { AsyncFd::register(near) }.unwrap();
        assert_eq!(fd.as_raw_fd(), number);
        assert_eq!(fd.as_fd().as_raw_fd(), number);
        assert_eq!(fd.get_ref().as_raw_fd(), number);
        fd.get_mut().write_all(b"hi").unwrap();
        let mut said = [0; 2];
        far.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"hi");
        assert!(format!("{fd:?}").starts_with("AsyncFd { inner: Some(UnixStream"));
        assert_eq!(fd.into_inner().as_raw_fd(), number);
    });
}

#[test]
fn polls_are_woken_in_their_direction() {
    on_both(|| async {
        let (mut near, mut far) = watched();
        let reader = zokio::spawn(async move {
            poll_fn(|cx| {
                near.poll_write_ready(cx)
                    .map_ok(|mut guard| guard.retain_ready())
            })
            .await
            .unwrap();
            poll_fn(|cx| {
                near.poll_write_ready_mut(cx)
                    .map_ok(|mut guard| guard.retain_ready())
            })
            .await
            .unwrap();
            poll_fn(|cx| {
                near.poll_read_ready(cx)
                    .map_ok(|guard| assert!(guard.ready().is_readable()))
            })
            .await
            .unwrap();
            // Nobody has read, so it still is.
            poll_fn(|cx| {
                near.poll_read_ready_mut(cx)
                    .map_ok(|guard| assert!(guard.ready().is_readable()))
            })
            .await
            .unwrap();
            near
        });
        zokio::task::yield_now().await;
        far.write_all(b"x").unwrap();
        let near = reader.await.unwrap();
        assert_eq!(near.get_ref().read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn of_those_who_poll_the_last_is_woken_and_of_those_who_wait_all_are() {
    run(async {
        let (near, mut far) = watched();
        let ((early, early_waker), (late, late_waker)) = (Counter::new(), Counter::new());
        for waker in [&early_waker, &late_waker] {
            let polled = near.poll_read_ready(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        let near = std::sync::Arc::new(near);
        let waits: Vec<_> = (0..5)
            .map(|_| {
                let near = near.clone();
                zokio::spawn(async move { near.readable().await.unwrap().ready() })
            })
            .collect();
        zokio::task::yield_now().await;
        assert!(waits.iter().all(|wait| !wait.is_finished()));
        far.write_all(b"x").unwrap();
        for wait in waits {
            assert!(wait.await.unwrap().is_readable());
        }
        assert_eq!((early.count(), late.count()), (0, 1));
    });
}

#[test]
fn async_io_tries_again_after_it_would_have_blocked() {
    on_both(|| async {
        let (mut near, mut far) = watched();
        let mut room = vec![0; 16];
        // An early chance, and nothing there.
        far.write_all(b"x").unwrap();
        near.readable().await.unwrap().retain_ready();
        near.get_mut().read_exact(&mut [0; 1]).unwrap();
        let writer = async {
            zokio::task::yield_now().await;
            far.write_all(b"hello").unwrap();
        };
        let mut tries = 0;
        let read = near.async_io(Interest::READABLE, |mut near| {
            tries += 1;
            near.read(&mut room)
        });
        let (read, ()) = zokio::join!(read, writer);
        assert_eq!((read.unwrap(), &room[..5]), (5, b"hello".as_slice()));
        assert!(tries >= 2);
        // And by itself.
        near.readable().await.unwrap().retain_ready();
        let writer = async {
            zokio::task::yield_now().await;
            far.write_all(b"again").unwrap();
        };
        let mut tries = 0;
        let read = near.async_io_mut(Interest::READABLE, |near| {
            tries += 1;
            near.read(&mut room)
        });
        let (read, ()) = zokio::join!(read, writer);
        assert_eq!((read.unwrap(), &room[..5]), (5, b"again".as_slice()));
        assert!(tries >= 2);
        // Every other error ends it.
        let refused = || io::Error::from(ErrorKind::InvalidData);
        let ended = near.async_io(Interest::WRITABLE, |_| io::Result::<()>::Err(refused()));
        assert_kind(ended.await, ErrorKind::InvalidData);
        let ended = near.async_io_mut(Interest::WRITABLE, |_| io::Result::<()>::Err(refused()));
        assert_kind(ended.await, ErrorKind::InvalidData);
    });
}

#[test]
fn try_io_runs_only_what_is_ready_and_believes_that_it_would_block() {
    on_both(|| async {
        let (mut near, mut far) = watched();
        let never = |_: &UnixStream| -> io::Result<()> { unreachable!("nothing is there") };
        near.writable().await.unwrap().retain_ready();
        assert_would_block(near.try_io(Interest::READABLE, never));
        far.write_all(b"x").unwrap();
        near.readable().await.unwrap().retain_ready();
        let read = |mut near: &UnixStream| near.read(&mut [0; 4]);
        assert_eq!(near.try_io(Interest::READABLE, read).unwrap(), 1);
        assert_would_block(near.try_io(Interest::READABLE, read));
        assert_would_block(near.try_io(Interest::READABLE, never));
        far.write_all(b"y").unwrap();
        near.readable().await.unwrap().retain_ready();
        let read = |near: &mut UnixStream| near.read(&mut [0; 4]);
        assert_eq!(near.try_io_mut(Interest::READABLE, read).unwrap(), 1);
        assert_would_block(near.try_io_mut(Interest::READABLE, read));
        let never = |_: &mut UnixStream| -> io::Result<()> { unreachable!("nothing is there") };
        assert_would_block(near.try_io_mut(Interest::READABLE, never));
        // The other direction is not touched by it, nor by another error.
        let refused = near.try_io(Interest::WRITABLE, |_| {
            io::Result::<()>::Err(ErrorKind::InvalidData.into())
        });
        assert_kind(refused, ErrorKind::InvalidData);
        assert_eq!(near.try_io(Interest::WRITABLE, |_| Ok(7)).unwrap(), 7);
    });
}

#[test]
fn what_is_closed_is_ready_and_stays_so() {
    on_both(|| async {
        let (near, far) = watched();
        drop(far);
        let mut guard = near.readable().await.unwrap();
        assert!(guard.ready().is_read_closed());
        guard.clear_ready();
        let guard = near.ready(BOTH).await.unwrap();
        assert!(guard.ready().is_read_closed() && guard.ready().is_write_closed());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn an_error_of_the_descriptor_is_a_readiness_of_its_own() {
    on_both(|| async {
        let (writer, reader) = pipe::pipe().unwrap();
        let writer = writer.into_nonblocking_fd().unwrap();
        // SAFETY: the descriptor stays open until it is dropped.
        let writer = unsafe { AsyncFd::register_with_interest(writer, Interest::WRITABLE) };
        let writer = writer.unwrap();
        writer.writable().await.unwrap().retain_ready();
        assert_would_block(writer.try_io(Interest::ERROR, |_| Ok(())));
        let (guard, ()) = zokio::join!(writer.ready(Interest::ERROR), async { drop(reader) });
        let mut guard = guard.unwrap();
        assert_eq!(guard.ready(), Ready::ERROR);
        guard.clear_ready();
        assert_would_block(writer.try_io(Interest::ERROR, |_| Ok(())));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn urgent_data_is_a_readiness_of_its_own() {
    on_both(|| async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        near.set_nonblocking(true).unwrap();
        let (far, _) = listener.accept().unwrap();
        let interest = Interest::READABLE | Interest::PRIORITY;
        // SAFETY: the stream keeps its descriptor until it is dropped.
        let near = unsafe { AsyncFd::register_with_interest(near, interest) }.unwrap();
        (&far).write_all(b"x").unwrap();
        let mut guard = near.readable().await.unwrap();
        assert!(!guard.ready().is_priority());
        guard.retain_ready();
        assert_would_block(near.try_io(Interest::PRIORITY, |_| Ok(())));
        let send = async {
            let sent = socket2::SockRef::from(&far).send_out_of_band(b"!").unwrap();
            assert_eq!(sent, 1);
        };
        let (guard, ()) = zokio::join!(near.ready(Interest::PRIORITY), send);
        let mut guard = guard.unwrap();
        assert!(guard.ready().is_priority());
        guard.clear_ready_matching(Ready::PRIORITY);
        assert!(!guard.ready().is_priority());
        assert_would_block(near.try_io(Interest::PRIORITY, |_| Ok(())));
    });
}

#[test]
fn without_its_runtime_waiting_is_an_error() {
    let runtime = single();
    let (mut near, far) = runtime.block_on(async { watched() });
    drop(runtime);
    run(async {
        assert_kind(near.readable().await.map(drop), ErrorKind::Other);
        assert_kind(near.writable_mut().await.map(drop), ErrorKind::Other);
        let polled = poll_fn(|cx| near.poll_read_ready(cx).map_ok(drop)).await;
        assert_kind(polled, ErrorKind::Other);
        let tried = near.async_io(Interest::READABLE, |_| Ok(())).await;
        assert_kind(tried, ErrorKind::Other);
        // The object is as it was.
        near.get_ref().write_all(b"x").unwrap();
        let near = near.into_inner();
        // SAFETY: the stream keeps its descriptor until it is dropped.
        let near = unsafe { AsyncFd::register(near) }.unwrap();
        assert!(now(near.readable()).is_none());
        drop(far);
        settle().await;
        near.readable().await.unwrap().retain_ready();
    });
}

#[test]
fn exclusive_access_waits_on_any_thread() {
    /// A descriptor that may move between threads, but not be shared.
    struct Unshared(UnixStream, std::cell::Cell<u32>);
    impl AsRawFd for Unshared {
        fn as_raw_fd(&self) -> std::os::fd::RawFd {
            self.0.as_raw_fd()
        }
    }
    async fn wait(mut fd: AsyncFd<Unshared>) -> u32 {
        let mut guard = fd.writable_mut().await.unwrap();
        guard.get_inner_mut().1.set(1);
        drop(guard);
        fd.async_io_mut(Interest::WRITABLE, |fd| Ok(fd.1.get() + 1))
            .await
            .unwrap()
    }
    run(async {
        let (near, _far) = pair();
        // SAFETY: the stream keeps its descriptor until it is dropped.
        let fd = unsafe { AsyncFd::register(Unshared(near, std::cell::Cell::new(0))) }.unwrap();
        // Spawning asks for a future that is `Send`.
        assert_eq!(zokio::spawn(wait(fd)).await.unwrap(), 2);
    });
}

#[test]
fn what_decides_is_the_descriptor_and_not_the_type_around_it() {
    run(async {
        // A `File` that is a pipe.
        let (writer, reader) = pipe::pipe().unwrap();
        let reader = File::from(reader.into_nonblocking_fd().unwrap());
        // SAFETY: the file keeps its descriptor until it is dropped.
        let fd = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) }.unwrap();
        writer.writable().await.unwrap();
        assert_eq!(writer.try_write(b"x").unwrap(), 1);
        let mut guard = fd.readable().await.unwrap();
        let read = guard.try_io(|fd| fd.get_ref().read(&mut [0; 4]));
        assert_eq!(read.unwrap().unwrap(), 1);
    });
}
