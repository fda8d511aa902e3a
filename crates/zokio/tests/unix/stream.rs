//! `UnixStream` and `UnixListener`: connections, who the peer is, attempts, polls and waits.

use crate::kit::{
    Counter, assert_kind, assert_would_block, now, on_both, path, run, settle, single,
};
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use zokio::net::unix::SocketAddr;
use zokio::net::{UnixListener, UnixStream};

#[test]
fn a_connection_has_the_listener_s_name_on_one_side() {
    on_both(|| async {
        let (_folder, path) = path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        let (near, accepted) = zokio::join!(UnixStream::connect(&path), listener.accept());
        let (mut near, (mut far, from)) = (near.unwrap(), accepted.unwrap());
        assert!(from.is_unnamed());
        let name = Some(path.as_path());
        assert_eq!(listener.local_addr().unwrap().as_pathname(), name);
        assert_eq!(near.peer_addr().unwrap().as_pathname(), name);
        assert_eq!(far.local_addr().unwrap().as_pathname(), name);
        assert!(near.local_addr().unwrap().is_unnamed());
        assert!(far.peer_addr().unwrap().is_unnamed());
        assert!(format!("{from:?}").contains("unnamed"));
        near.write_all(b"hello").await.unwrap();
        near.shutdown().await.unwrap();
        let mut said = String::new();
        far.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
        far.write_all(b"back").await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn what_cannot_be_connected_to_or_bound_is_an_error() {
    on_both(|| async {
        let (folder, path) = path("listener");
        assert_kind(UnixStream::connect(&path).await, ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        assert_kind(UnixListener::bind(&path), ErrorKind::AddrInUse);
        let address = SocketAddr::from(net::SocketAddr::from_pathname(&path).unwrap());
        assert_kind(UnixListener::bind_addr(&address), ErrorKind::AddrInUse);
        drop(listener);
        let refused = UnixStream::connect(&path).await;
        assert_kind(refused, ErrorKind::ConnectionRefused);
        let refused = UnixStream::connect_addr(&address).await;
        assert_kind(refused, ErrorKind::ConnectionRefused);
        let long = folder.path().join("x".repeat(200));
        assert_kind(UnixStream::connect(&long).await, ErrorKind::InvalidInput);
        assert_kind(UnixListener::bind(&long), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_path_that_begins_with_zero_is_an_abstract_name() {
    use crate::kit::abstract_name;
    use std::os::linux::net::SocketAddrExt;
    on_both(|| async {
        let name = abstract_name("listener");
        let path = format!("\0{name}");
        let listener = UnixListener::bind(&path).unwrap();
        let local = listener.local_addr().unwrap();
        assert_eq!(local.as_abstract_name(), Some(name.as_bytes()));
        let near = UnixStream::connect(&path).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        near.try_write(b"x").unwrap();
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 4]).unwrap(), 1);
        let address = net::SocketAddr::from_abstract_name(&name).unwrap();
        let address = SocketAddr::from(address);
        let second = UnixStream::connect_addr(&address).await.unwrap();
        let peer = second.peer_addr().unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        assert_kind(UnixListener::bind_addr(&address), ErrorKind::AddrInUse);
        // The name goes away with the listener.
        drop(listener);
        let refused = UnixStream::connect(&path).await;
        assert_kind(refused, ErrorKind::ConnectionRefused);
    });
}

#[test]
fn the_peer_is_who_it_is() {
    on_both(|| async {
        let (near, _far) = UnixStream::pair().unwrap();
        let found = near.peer_cred().unwrap();
        // SAFETY: these calls take nothing and cannot fail.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        assert_eq!((found.uid(), found.gid()), (uid, gid));
        if cfg!(target_os = "linux") {
            assert_eq!(found.pid(), i32::try_from(std::process::id()).ok());
        }
        assert_eq!(found, near.peer_cred().unwrap());
        // A descriptor that is no socket has no peer.
        let (pipe, _receiver) = zokio::net::unix::pipe::pipe().unwrap();
        let pipe = net::UnixStream::from(pipe.into_nonblocking_fd().unwrap());
        let error = UnixStream::from_std(pipe).unwrap().peer_cred().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTSOCK));
    });
}

#[test]
fn attempts_on_a_stream_say_that_they_would_block() {
    on_both(|| async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut buf = vec![0; 65_536];
        assert_would_block(far.try_read(&mut buf));
        assert_would_block(far.try_read_buf(&mut Vec::with_capacity(4)));
        assert_would_block(far.try_read_vectored(&mut [IoSliceMut::new(&mut buf)]));
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(near.try_write_vectored(&parts).unwrap(), 4);
        far.readable().await.unwrap();
        let (mut first, mut second) = ([0; 1], [0; 2]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(far.try_read_vectored(&mut bufs).unwrap(), 3);
        assert_eq!((&first, &second), (b"a", b"bc"));
        let mut vec = Vec::with_capacity(8);
        assert_eq!(far.try_read_buf(&mut vec).unwrap(), 1);
        assert_eq!(vec, b"d");
        let mut room = 0;
        while let Ok(written) = near.try_write(&buf) {
            room += written;
        }
        assert_would_block(near.try_write(b"x"));
        assert_would_block(near.try_write_vectored(&parts));
        while room > 0 {
            far.readable().await.unwrap();
            match far.try_read(&mut buf) {
                Ok(read) => room -= read,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        near.writable().await.unwrap();
        assert_eq!(near.try_write(b"x").unwrap(), 1);
    });
}

#[test]
fn polls_of_a_stream_are_woken_in_their_direction() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let ((early, early_waker), (late, late_waker)) = (Counter::new(), Counter::new());
        for waker in [&early_waker, &late_waker] {
            let polled = near.poll_read_ready(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        poll_fn(|cx| far.poll_write_ready(cx)).await.unwrap();
        while far.try_write(&[1; 4096]).is_ok() {}
        settle().await;
        assert_eq!((early.count(), late.count()), (0, 1));
        poll_fn(|cx| near.poll_read_ready(cx)).await.unwrap();
        let mut cx = Context::from_waker(&early_waker);
        assert!(far.poll_write_ready(&mut cx).is_pending());
        let mut buf = vec![0; 65_536];
        while near.try_read(&mut buf).is_ok() {}
        settle().await;
        assert_eq!(early.count(), 1);
        assert!(matches!(far.poll_write_ready(&mut cx), Poll::Ready(Ok(()))));
    });
}

#[test]
fn readiness_and_other_operations() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        assert!(near.ready(both).await.unwrap().is_writable());
        let peek = || {
            let mut room = [std::mem::MaybeUninit::uninit(); 8];
            socket2::SockRef::from(&near).peek(&mut room)
        };
        assert_would_block(near.try_io(Interest::READABLE, peek));
        let never = || -> io::Result<()> { unreachable!("nothing is there") };
        assert_would_block(near.try_io(Interest::READABLE, never));
        let write = async { far.try_write(b"four").unwrap() };
        let (peeked, _) = zokio::join!(near.async_io(Interest::READABLE, peek), write);
        assert_eq!(peeked.unwrap(), 4);
        assert_eq!(near.try_io(Interest::READABLE, peek).unwrap(), 4);
        assert!(near.ready(Interest::READABLE).await.unwrap().is_readable());
        drop(far);
        settle().await;
        let ready = near.ready(both).await.unwrap();
        assert!(ready.is_read_closed() && ready.is_write_closed());
        assert!(near.take_error().unwrap().is_none());
    });
}

#[test]
fn several_buffers_are_one_write() {
    on_both(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        assert!(near.is_write_vectored());
        let parts = [IoSlice::new(b"hel"), IoSlice::new(b"lo")];
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 5);
        near.flush().await.unwrap();
        let mut said = [0; 5];
        far.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello");
    });
}

#[test]
fn the_ends_of_a_pair_have_room_and_nothing_to_read() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        assert!(now(near.writable()).is_some());
        assert!(now(near.readable()).is_none());
        assert_eq!(near.try_write(b"there").unwrap(), 5);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 8]).unwrap(), 5);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_is_never_accepted_is_reset() {
    run(async {
        let (_folder, path) = path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        let mut stream = UnixStream::connect(&path).await.unwrap();
        // The system makes a connection at once, and the set has not seen it by the first poll.
        let mut second = pin!(UnixStream::connect(&path));
        assert!(now(second.as_mut()).is_none());
        drop(listener);
        assert_kind(second.await, ErrorKind::ConnectionReset);
        assert_kind(stream.read(&mut [0; 4]).await, ErrorKind::ConnectionReset);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_is_reset_while_the_task_gives_way_is_an_error() {
    run(async {
        let (_folder, path) = path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        let connecting = zokio::spawn(async move {
            // Nothing is left of this turn's budget.
            poll_fn(|cx| {
                while zokio::task::coop::has_budget_remaining() {
                    let _ = pin!(zokio::task::coop::consume_budget()).poll(cx);
                }
                Poll::Ready(())
            })
            .await;
            UnixStream::connect(&path).await
        });
        zokio::task::yield_now().await;
        drop(listener);
        assert_kind(connecting.await.unwrap(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn streams_go_to_the_standard_library_and_come_back() {
    on_both(|| async {
        let (near, mut far) = UnixStream::pair().unwrap();
        assert_would_block(near.try_read(&mut [0; 4]));
        let number = near.as_raw_fd();
        assert_eq!(near.as_fd().as_raw_fd(), number);
        assert!(format!("{near:?}").contains(&number.to_string()));
        assert!(std::ptr::eq::<UnixStream>(near.as_ref(), &near));
        let near = near.into_std().unwrap();
        // Still in non-blocking mode.
        assert_would_block(io::Read::read(&mut &near, &mut [0; 4]));
        let mut near = UnixStream::from_std(near).unwrap();
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 1);
        let mut near = UnixStream::try_from(near.into_std().unwrap()).unwrap();
        far.write_all(b"yz").await.unwrap();
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 2);
    });
}

#[test]
fn several_tasks_accept_and_polls_do_too() {
    on_both(|| async {
        let (_folder, path) = path("listener");
        let listener = Arc::new(UnixListener::bind(&path).unwrap());
        let mut tasks: Vec<_> = (0..3)
            .map(|_| {
                let listener = listener.clone();
                zokio::spawn(async move { listener.accept().await.unwrap().0 })
            })
            .collect();
        let polling = listener.clone();
        tasks.push(zokio::spawn(async move {
            let (stream, from) = poll_fn(|cx| polling.poll_accept(cx)).await.unwrap();
            assert!(from.is_unnamed());
            stream
        }));
        zokio::task::yield_now().await;
        let mut streams = Vec::new();
        for _ in 0..tasks.len() {
            streams.push(UnixStream::connect(&path).await.unwrap());
        }
        for task in tasks {
            task.await.unwrap().try_write(b"x").unwrap();
        }
        for mut stream in streams {
            assert_eq!(stream.read(&mut [0; 4]).await.unwrap(), 1);
        }
    });
}

#[test]
fn a_poll_for_a_connection_is_woken_and_a_dropped_wait_takes_none() {
    run(async {
        let (_folder, path) = path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(now(listener.accept()).is_none());
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        assert!(listener.poll_accept(&mut cx).is_pending());
        let near = UnixStream::connect(&path).await.unwrap();
        settle().await;
        assert_eq!(counter.count(), 1);
        let Poll::Ready(Ok((far, _))) = listener.poll_accept(&mut cx) else {
            panic!("there is a connection");
        };
        assert!(listener.poll_accept(&mut cx).is_pending());
        far.try_write(b"x").unwrap();
        near.readable().await.unwrap();
    });
}

#[test]
fn listeners_go_to_the_standard_library_and_come_back() {
    on_both(|| async {
        let (_folder, path) = path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(listener.take_error().unwrap().is_none());
        assert!(now(listener.accept()).is_none());
        let number = listener.as_raw_fd();
        assert_eq!(listener.as_fd().as_raw_fd(), number);
        assert!(format!("{listener:?}").contains(&number.to_string()));
        let listener = listener.into_std().unwrap();
        assert_would_block(listener.accept());
        let listener = UnixListener::from_std(listener).unwrap();
        let _one = UnixStream::connect(&path).await.unwrap();
        listener.accept().await.unwrap();
        let listener = UnixListener::try_from(listener.into_std().unwrap()).unwrap();
        let _two = UnixStream::connect(&path).await.unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn without_its_runtime_waiting_is_an_error() {
    let runtime = single();
    let (_folder, path) = path("listener");
    let (listener, mut near, far) = runtime.block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        (UnixListener::bind(&path).unwrap(), near, far)
    });
    drop(runtime);
    run(async {
        assert_kind(near.read(&mut [0; 4]).await, ErrorKind::Other);
        assert_kind(near.readable().await, ErrorKind::Other);
        assert_kind(listener.accept().await, ErrorKind::Other);
        // An attempt does not wait, so it is made on what counts as ready.
        far.try_write(b"x").unwrap();
        assert_kind(near.try_read(&mut [0; 4]), ErrorKind::WouldBlock);
        assert_kind(near.read(&mut [0; 4]).await, ErrorKind::Other);
    });
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn a_listener_outside_of_a_runtime_panics() {
    let (_folder, path) = path("listener");
    let _ = UnixListener::bind(path);
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn a_pair_outside_of_a_runtime_panics() {
    let _ = UnixStream::pair();
}

#[test]
fn who_waits_for_data_can_still_write_as_long_as_there_is_room() {
    on_both(|| async {
        let of_std = {
            let (near, far) = pair_of_std();
            (
                UnixStream::from_std(near).unwrap(),
                UnixStream::from_std(far).unwrap(),
            )
        };
        for (near, far) in [UnixStream::pair().unwrap(), of_std] {
            near.writable().await.unwrap();
            far.writable().await.unwrap();
            // A part of the room: more than may be taken for the system to say that there is some.
            assert_eq!(near.try_write(&[1; 57_000]).unwrap(), 57_000);
            far.try_write(b"x").unwrap();
            assert!(near.ready(Interest::READABLE).await.unwrap().is_readable());
            // Nobody reads.
            assert_eq!(near.try_write(b"more").unwrap(), 4);
        }
    });
}

/// A pair of the standard library that does not block.
fn pair_of_std() -> (net::UnixStream, net::UnixStream) {
    let (near, far) = net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

/// Sends `bytes` and, beside them, a copy of standard error.
#[cfg(target_os = "linux")]
fn send_with_descriptor(socket: &impl AsRawFd, bytes: &[u8]) {
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // Aligned as the header that goes there.
    let mut control = [0_u64; 8];
    // SAFETY: the message and all it points at are live, the control data has room for its one header
    // and descriptor, and the socket is open.
    let sent = unsafe {
        let size = size_of::<i32>() as u32;
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size) as _;
        libc::CMSG_DATA(header).cast::<i32>().write_unaligned(2);
        libc::sendmsg(socket.as_raw_fd(), &raw const message, 0)
    };
    assert_eq!(usize::try_from(sent).unwrap(), bytes.len());
}

/// The system ends a read behind bytes that came with a descriptor. No event announces what is there
/// already behind them.
#[test]
#[cfg(target_os = "linux")]
fn what_stands_behind_bytes_that_came_with_a_descriptor_is_read() {
    on_both(|| async {
        let (mut near, far) = UnixStream::pair().unwrap();
        far.writable().await.unwrap();
        let reader = zokio::spawn(async move {
            let mut all = Vec::new();
            let mut buf = [0; 64];
            while all.len() < 6 {
                let count = near.read(&mut buf).await.unwrap();
                all.extend_from_slice(&buf[..count]);
            }
            all
        });
        settle_all().await;
        send_with_descriptor(&far, b"ab");
        send_with_descriptor(&far, b"cd");
        far.try_write(b"ef").unwrap();
        assert_eq!(reader.await.unwrap(), b"abcdef");
    });
}

/// Gives a reader on another worker the time to begin its wait. What follows is right without it, too.
async fn settle_all() {
    for _ in 0..10 {
        zokio::task::yield_now().await;
    }
}
