//! Closures that a call was given: the panic is the caller's, and nothing stays taken.

use crate::support::{Host, Table, expect, fall, falls, hide_expected, ignore, now};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zokio::sync::{
    Condvar, Mutex, MutexGuard, OnceCell, OwnedMutexGuard, OwnedRwLockReadGuard,
    OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, broadcast, watch,
};
use zokio::task::LocalSet;

/// Runs a list of sites. A site calls, asserts that the panic came to it, and calls again.
fn run(
    family: &str,
    list: impl FnOnce(&Host, &mut dyn FnMut(&'static str, &dyn Fn(&Arc<AtomicU64>))),
) {
    hide_expected();
    let host = Host::new();
    let mut table = Table::default();
    list(&host, &mut |name, site| {
        let reached = Arc::new(AtomicU64::new(0));
        site(&reached);
        table.add(name, "call", reached.load(Ordering::SeqCst));
        host.is_alive();
    });
    host.end();
    table.show(family);
}

#[test]
fn closures_of_channels_and_cells() {
    run("closures: channels, cells", |_, site| {
        site("watch: send_modify", &|reached| {
            let (sender, receiver) = watch::channel(0);
            assert!(falls(|| sender.send_modify(|value| {
                *value = 1;
                fall(reached)
            })));
            // Nobody is told, as documented.
            assert_eq!(receiver.has_changed().ok(), Some(false));
            sender.send(2).unwrap();
            assert_eq!(
                (*receiver.borrow(), receiver.has_changed().ok()),
                (2, Some(true))
            );
        });
        site("watch: send_if_modified", &|reached| {
            let (sender, receiver) = watch::channel(0);
            assert!(falls(|| sender.send_if_modified(|_| fall(reached))));
            assert!(sender.send_if_modified(|value| {
                *value = 2;
                true
            }));
            assert_eq!(*receiver.borrow(), 2);
        });
        site("watch: wait_for", &|reached| {
            let (sender, mut receiver) = watch::channel(0);
            assert!(falls(|| ignore(now(receiver.wait_for(|_| fall(reached))))));
            sender.send(2).unwrap();
            assert_eq!(*now(receiver.wait_for(|it| *it == 2)).unwrap(), 2);
        });
        site("broadcast: Clone", &|reached| {
            #[derive(Debug)]
            struct Bad<'a>(Option<&'a AtomicU64>);
            impl Clone for Bad<'_> {
                fn clone(&self) -> Self {
                    match self.0 {
                        Some(reached) => fall(reached),
                        None => Self(None),
                    }
                }
            }
            let (sender, mut receiver) = broadcast::channel(4);
            let mut other = sender.subscribe();
            for value in [Some(&**reached), None] {
                sender.send(Bad(value)).unwrap();
            }
            for receiver in [&mut receiver, &mut other] {
                assert!(falls(|| receiver.try_recv()));
                assert!(receiver.try_recv().is_ok());
            }
            assert!(sender.is_empty());
        });
        site("OnceCell: get_or_init, the closure", &|reached| {
            let cell = OnceCell::new();
            assert!(falls(|| ignore(now(cell.get_or_init(|| {
                if true {
                    fall(reached);
                }
                async { 1 }
            })))));
            assert_eq!(now(cell.get_or_init(|| async { 2 })), &2);
        });
        site("OnceCell: get_or_init, the future", &|reached| {
            let cell = OnceCell::<u8>::new();
            assert!(falls(|| ignore(now(
                cell.get_or_init(|| async { fall(reached) })
            ))));
            assert_eq!(now(cell.get_or_init(|| async { 2 })), &2);
        });
        site("OnceCell: get_or_try_init", &|reached| {
            let cell = OnceCell::<u8>::new();
            let makes = || async { if true { fall(reached) } else { Err(()) } };
            assert!(falls(|| ignore(now(cell.get_or_try_init(makes)))));
            assert!(cell.set(2).is_ok());
        });
    });
}

#[test]
fn closures_of_locks() {
    run("closures: locks", |_, site| {
        site("Mutex: map, try_map", &|reached| {
            let lock = Arc::new(Mutex::new(0));
            assert!(falls(|| MutexGuard::map(
                now(lock.lock()),
                |_| -> &mut u8 { fall(reached) }
            )));
            assert!(falls(|| {
                drop(MutexGuard::try_map(
                    now(lock.lock()),
                    |_| -> Option<&mut u8> { fall(reached) },
                ));
            }));
            let owned = now(lock.clone().lock_owned());
            assert!(falls(|| OwnedMutexGuard::map(owned, |_| -> &mut u8 {
                fall(reached)
            })));
            assert_eq!(*now(lock.lock()), 0);
        });
        site("RwLock: map of a read guard", &|reached| {
            let lock = Arc::new(RwLock::new(0));
            assert!(falls(|| RwLockReadGuard::map(
                now(lock.read()),
                |_| -> &u8 { fall(reached) }
            )));
            let owned = now(lock.clone().read_owned());
            assert!(falls(|| OwnedRwLockReadGuard::map(owned, |_| -> &u8 {
                fall(reached)
            })));
            *now(lock.write()) += 1;
        });
        site("RwLock: map of a write guard", &|reached| {
            let lock = Arc::new(RwLock::new(0));
            let guard = now(lock.write());
            assert!(falls(|| RwLockWriteGuard::map(guard, |_| -> &mut u8 {
                fall(reached)
            })));
            let owned = now(lock.clone().write_owned());
            assert!(falls(|| OwnedRwLockWriteGuard::map(
                owned,
                |_| -> &mut u8 { fall(reached) }
            )));
            *now(lock.write()) += 1;
        });
        site("RwLock: downgrade_map", &|reached| {
            let lock = RwLock::new(0);
            let guard = now(lock.write());
            assert!(falls(|| RwLockWriteGuard::downgrade_map(
                guard,
                |_| -> &u8 { fall(reached) }
            )));
            *now(lock.write()) += 1;
        });
        site("Condvar: wait_while", &|reached| {
            let (lock, condvar) = (Mutex::new(0), Condvar::new());
            let guard = now(lock.lock());
            assert!(falls(|| ignore(now(
                condvar.wait_while(guard, |_| fall(reached))
            ))));
            assert_eq!(*now(lock.lock()), 0);
        });
    });
}

#[test]
fn closures_and_futures_of_tasks() {
    run("closures: tasks", |host, site| {
        let runtime = host.runtime();
        site("spawn", &|reached| {
            let reached = reached.clone();
            let task = runtime.spawn(async move { fall(&reached) });
            expect(runtime.block_on(task).unwrap_err().into_panic());
        });
        site("spawn_blocking", &|reached| {
            let reached = reached.clone();
            let task = runtime.spawn_blocking(move || fall(&reached));
            expect(runtime.block_on(task).unwrap_err().into_panic());
        });
        site("block_in_place", &|reached| {
            let reached = reached.clone();
            let task = runtime.spawn(async move { zokio::task::block_in_place(|| fall(&reached)) });
            expect(runtime.block_on(task).unwrap_err().into_panic());
        });
        site("block_on", &|reached| {
            assert!(falls(|| runtime.block_on(async { fall(reached) })));
            assert_eq!(runtime.block_on(async { 7 }), 7);
        });
        site("LocalSet: block_on, run_until", &|reached| {
            let set = LocalSet::new();
            let task = set.spawn_local(async { 7 });
            assert!(falls(|| set.block_on(runtime, async { fall(reached) })));
            assert!(falls(
                || runtime.block_on(set.run_until(async { fall(reached) }))
            ));
            assert_eq!(set.block_on(runtime, task).unwrap(), 7);
        });
        site("timeout", &|reached| {
            let time = std::time::Duration::from_secs(60);
            assert!(falls(|| runtime.block_on(async {
                zokio::time::timeout(time, async { fall(reached) }).await
            })));
        });
    });
}
