//! Everything that can be turned into socket addresses.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{future, option, slice, vec};
use zokio_task::JoinHandle;

/// Something that can be turned into one or more [`SocketAddr`]s, maybe by a name look-up.
///
/// Implemented for addresses, slices of them, pairs of host and port, and strings. It cannot be
/// implemented elsewhere, and has no methods: pass such values to [`lookup_host`](super::lookup_host),
/// `bind` or `connect`.
pub trait ToSocketAddrs: sealed::Resolve {}

pub(crate) mod sealed {
    use super::{Future, SocketAddr, io};

    /// Makes the method unreachable from other crates.
    #[derive(Debug)]
    pub struct Internal;

    /// The work of [`ToSocketAddrs`](super::ToSocketAddrs).
    pub trait Resolve {
        /// The addresses.
        type Iter: Iterator<Item = SocketAddr> + Send + 'static;
        /// The look-up.
        type Future: Future<Output = io::Result<Self::Iter>> + Send + 'static;

        /// Begins the look-up.
        fn resolve(&self, internal: Internal) -> Self::Future;
    }
}

use sealed::{Internal, Resolve};

/// Looks `host` up.
pub(crate) async fn resolve<T: ToSocketAddrs>(host: T) -> io::Result<T::Iter> {
    let lookup = host.resolve(Internal);
    // The host may be borrowed from something that cannot cross an await.
    drop(host);
    lookup.await
}

/// The error for a list of addresses that is empty.
pub(crate) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any address",
    )
}

type ReadyFuture<T> = future::Ready<io::Result<T>>;

macro_rules! one_address {
    ($($type:ty, |$value:ident| $address:expr;)*) => {$(
        impl ToSocketAddrs for $type {}

        impl Resolve for $type {
            type Iter = option::IntoIter<SocketAddr>;
            type Future = ReadyFuture<Self::Iter>;

            fn resolve(&self, _: Internal) -> Self::Future {
                let $value = self;
                future::ready(Ok(Some($address).into_iter()))
            }
        }
    )*};
}

one_address! {
    SocketAddr, |address| *address;
    SocketAddrV4, |address| SocketAddr::V4(*address);
    SocketAddrV6, |address| SocketAddr::V6(*address);
    (IpAddr, u16), |pair| SocketAddr::from(*pair);
    (Ipv4Addr, u16), |pair| SocketAddr::from(*pair);
    (Ipv6Addr, u16), |pair| SocketAddr::from(*pair);
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}

impl<T: ToSocketAddrs + ?Sized> Resolve for &T {
    type Iter = T::Iter;
    type Future = T::Future;

    fn resolve(&self, _: Internal) -> Self::Future {
        (**self).resolve(Internal)
    }
}

impl ToSocketAddrs for &[SocketAddr] {}

impl Resolve for &[SocketAddr] {
    type Iter = vec::IntoIter<SocketAddr>;
    type Future = ReadyFuture<Self::Iter>;

    fn resolve(&self, _: Internal) -> Self::Future {
        let addresses: slice::Iter<'_, SocketAddr> = self.iter();
        future::ready(Ok(addresses.copied().collect::<Vec<_>>().into_iter()))
    }
}

impl ToSocketAddrs for str {}

impl Resolve for str {
    type Iter = Addresses;
    type Future = Lookup;

    fn resolve(&self, _: Internal) -> Lookup {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return Lookup::one(address);
        }
        let host = self.to_owned();
        Lookup::name(move || std::net::ToSocketAddrs::to_socket_addrs(&host))
    }
}

impl ToSocketAddrs for (&str, u16) {}

impl Resolve for (&str, u16) {
    type Iter = Addresses;
    type Future = Lookup;

    fn resolve(&self, _: Internal) -> Lookup {
        let (host, port) = *self;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Lookup::one((address, port).into());
        }
        let host = host.to_owned();
        Lookup::name(move || std::net::ToSocketAddrs::to_socket_addrs(&(&host[..], port)))
    }
}

impl ToSocketAddrs for (String, u16) {}

impl Resolve for (String, u16) {
    type Iter = Addresses;
    type Future = Lookup;

    fn resolve(&self, _: Internal) -> Lookup {
        (&self.0[..], self.1).resolve(Internal)
    }
}

impl ToSocketAddrs for String {}

impl Resolve for String {
    type Iter = Addresses;
    type Future = Lookup;

    fn resolve(&self, _: Internal) -> Lookup {
        self[..].resolve(Internal)
    }
}

/// A look-up that is over at once, or under way on a thread that may block.
#[derive(Debug)]
pub enum Lookup {
    /// It was an address.
    Done(Option<SocketAddr>),
    /// It is a name.
    Running(JoinHandle<io::Result<vec::IntoIter<SocketAddr>>>),
}

impl Lookup {
    fn one(address: SocketAddr) -> Self {
        Self::Done(Some(address))
    }

    fn name(
        lookup: impl FnOnce() -> io::Result<vec::IntoIter<SocketAddr>> + Send + 'static,
    ) -> Self {
        Self::Running(zokio_runtime::spawn_own(lookup))
    }
}

impl Future for Lookup {
    type Output = io::Result<Addresses>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Done(address) => Poll::Ready(Ok(Addresses::One(address.take().into_iter()))),
            Self::Running(handle) => Poll::Ready(match ready!(Pin::new(handle).poll(cx)) {
                Ok(addresses) => addresses.map(Addresses::More),
                // The look-up never panics, so the runtime was shut down.
                Err(error) => Err(error.into()),
            }),
        }
    }
}

/// The addresses that a look-up found.
#[derive(Debug)]
pub enum Addresses {
    /// The one address that was given.
    One(option::IntoIter<SocketAddr>),
    /// The resolver's answer.
    More(vec::IntoIter<SocketAddr>),
}

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Self::One(addresses) => addresses.next(),
            Self::More(addresses) => addresses.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::One(addresses) => addresses.size_hint(),
            Self::More(addresses) => addresses.size_hint(),
        }
    }
}
