//! A reader or writer that is always ready yields after a poll's budget.

use crate::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use zokio_task::coop;

/// Polls `future`, which never ends by itself, once, with a full budget: it must stop.
fn yields(future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        let polled = coop::budget(|| future.as_mut().poll(&mut cx));
        assert!(polled.is_pending());
    }
}

macro_rules! forever {
    ($operation:expr) => {
        yields(async {
            loop {
                let _ = $operation.await;
            }
        })
    };
}

#[test]
fn loops_over_memory_yield() {
    forever!(crate::empty().read(&mut [0; 4]));
    forever!(crate::empty().fill_buf());
    forever!(crate::empty().write(b"abc"));
    forever!(crate::repeat(1).read(&mut [0; 4]));
    forever!(crate::sink().write(b"abc"));
    forever!(crate::sink().flush());
    forever!(crate::sink().shutdown());
    forever!(crate::copy(&mut &b"abc"[..], &mut Vec::new()));
    forever!(crate::copy_buf(&mut &b"abc"[..], &mut Vec::new()));
    forever!((&b"abc"[..]).read_to_end(&mut Vec::new()));
    forever!((&b"abc"[..]).read_until(b'c', &mut Vec::new()));
}

#[test]
fn pipes_yield() {
    let (mut a, mut b) = crate::duplex(64);
    yields(async {
        let mut buf = [0; 4];
        loop {
            a.write_all(b"ping").await.unwrap();
            b.read_exact(&mut buf).await.unwrap();
        }
    });
}

/// The operation that takes the last unit may be a read as well, with bytes waiting for it.
#[test]
fn pipes_of_one_direction_yield() {
    let mut pipe = crate::SimplexStream::new_unsplit(64);
    yields(async {
        let mut buf = [0; 2];
        loop {
            pipe.write_all(b"ping").await.unwrap();
            pipe.read_exact(&mut buf).await.unwrap();
            pipe.read_exact(&mut buf).await.unwrap();
            assert_eq!(&buf, b"ng");
        }
    });
}

#[test]
fn an_endless_copy_yields() {
    yields(async {
        crate::copy(&mut crate::repeat(0), &mut crate::sink())
            .await
            .unwrap();
    });
    let mut both = crate::join(crate::repeat(0), crate::sink());
    let mut other = crate::join(crate::repeat(0), crate::sink());
    yields(async {
        crate::copy_bidirectional(&mut both, &mut other)
            .await
            .unwrap();
    });
}

#[test]
fn an_operation_that_waits_costs_nothing() {
    let (mut a, _b) = crate::duplex(64);
    let mut cx = Context::from_waker(Waker::noop());
    coop::budget(|| {
        let before = zokio_task::context::budget();
        let mut buf = [0; 4];
        assert!(pin!(a.read(&mut buf)).poll(&mut cx).is_pending());
        let mut sink = Vec::new();
        assert!(
            pin!(crate::copy(&mut a, &mut sink))
                .poll(&mut cx)
                .is_pending()
        );
        assert_eq!(zokio_task::context::budget(), before);
    });
}
