//! Auto traits, checked by the compiler: what is `Send`, `Sync` and `Unpin`, and what is not.

use crate::*;
use std::cell::Cell;
use std::marker::PhantomPinned;
use std::rc::Rc;

/// Has exactly one meaning for types that are not `$trait`: with two, inference fails.
macro_rules! not_impl {
    ($type:ty: $trait:ident) => {
        const _: fn() = || {
            trait Ambiguous<A> {
                fn some_item() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Invalid;
            impl<T: ?Sized + $trait> Ambiguous<Invalid> for T {}
            let _ = <$type as Ambiguous<_>>::some_item;
        };
    };
}

fn send_sync<T: Send + Sync>() {}
fn unpin<T: Unpin>() {}

#[test]
fn types_are_what_their_contents_are() {
    send_sync::<ReadBuf<'_>>();
    send_sync::<BufReader<Vec<u8>>>();
    send_sync::<DuplexStream>();
    send_sync::<SimplexStream>();
    send_sync::<ReadHalf<Vec<u8>>>();
    send_sync::<Lines<Vec<u8>>>();
    send_sync::<Interest>();
    send_sync::<Ready>();
    unpin::<DuplexStream>();
    unpin::<ReadHalf<PhantomPinned>>();
    unpin::<WriteHalf<PhantomPinned>>();
}

not_impl!(BufReader<Rc<u8>>: Send);
not_impl!(BufWriter<Rc<u8>>: Send);
not_impl!(Chain<u8, Rc<u8>>: Sync);
not_impl!(Take<Cell<u8>>: Sync);
not_impl!(ReadHalf<Rc<u8>>: Send);
not_impl!(WriteHalf<Cell<u8>>: Sync);
not_impl!(BufReader<PhantomPinned>: Unpin);
not_impl!(Join<u8, PhantomPinned>: Unpin);

/// Futures of the extension traits can be sent and must be pinned.
#[test]
fn futures_are_send_sync_and_not_unpin() {
    trait Ambiguous<A> {}
    impl<T: Send + Sync> Ambiguous<()> for T {}
    struct Invalid;
    impl<T: Unpin> Ambiguous<Invalid> for T {}
    // Ambiguous, and so an error, if the future is `Unpin`.
    fn check<T: Ambiguous<A>, A>(_: &T) {}
    let mut vec = Vec::new();
    let mut buf = [0; 4];
    let mut source: &[u8] = b"";
    check(&source.read(&mut buf));
    check(&source.read_exact(&mut buf));
    check(&source.read_to_end(&mut vec));
    check(&source.read_u64());
    check(&vec.write(b""));
    check(&vec.write_all(b""));
    check(&vec.flush());
    check(&source.read_until(0, &mut Vec::new()));
    check(&source.fill_buf());
    check(&copy(&mut source, &mut vec));
}
