//! Setting and waiting by hand.

use super::*;
use crate::testing::spawn;
use zokio_base::sync::Arc;

#[test]
fn setting_wakes_all_who_wait() {
    let cell = SetOnce::new();
    let mut waiting: Vec<_> = (0..40).map(|_| spawn(cell.wait())).collect();
    for future in &mut waiting {
        future.pending();
    }
    waiting.remove(7);
    cell.set(1).unwrap();
    for future in &mut waiting {
        assert!(future.is_woken());
        assert_eq!(future.ready(), &1);
    }
    assert_eq!(cell.set(2), Err(SetOnceError(2)));
    assert_eq!(spawn(cell.wait()).ready(), &1);
}

#[test]
fn values_are_dropped_once() {
    let alive = Arc::new(());
    let cell = SetOnce::from(alive.clone());
    assert_eq!(cell.clone(), cell);
    drop(cell.into_inner());
    drop(SetOnce::new_with(Some(alive.clone())));
    drop(SetOnce::<Arc<()>>::default().into_inner());
    assert_eq!(Arc::strong_count(&alive), 1);
}
