//! A send into a channel with a limit of time.

use std::time::Duration;
use zokio_runtime::{Builder, Runtime, spawn};
use zokio_sync::mpsc::{self, error::SendTimeoutError};
use zokio_time::{Instant, sleep};

/// Its clock stands still until all wait.
fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn where_there_is_room_the_value_is_sent_at_once() {
    paused().block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        let begun = Instant::now();
        assert_eq!(sender.send_timeout(7, LIMIT).await, Ok(()));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(receiver.recv().await, Some(7));
    });
}

#[test]
fn where_there_is_none_in_time_the_value_comes_back() {
    paused().block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.send(1).await.unwrap();
        let begun = Instant::now();
        let error = sender.send_timeout(2, LIMIT).await.unwrap_err();
        assert_eq!(error, SendTimeoutError::Timeout(2));
        assert!(begun.elapsed() >= LIMIT);
        // The place in the queue was given up.
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(sender.capacity(), 1);
    });
}

#[test]
fn room_that_comes_in_time_is_taken() {
    paused().block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        sender.send(1).await.unwrap();
        let receives = spawn(async move {
            sleep(LIMIT / 2).await;
            [receiver.recv().await, receiver.recv().await]
        });
        assert_eq!(sender.send_timeout(2, LIMIT).await, Ok(()));
        assert_eq!(receives.await.unwrap(), [Some(1), Some(2)]);
    });
}

#[test]
fn a_receiver_that_goes_gives_the_value_back() {
    paused().block_on(async {
        let (sender, receiver) = mpsc::channel(1);
        sender.send(1).await.unwrap();
        let goes = spawn(async move {
            sleep(LIMIT / 2).await;
            drop(receiver);
        });
        let error = sender.send_timeout(2, LIMIT).await.unwrap_err();
        assert_eq!(error, SendTimeoutError::Closed(2));
        goes.await.unwrap();
        let error = sender.send_timeout(3, LIMIT).await.unwrap_err();
        assert_eq!(error, SendTimeoutError::Closed(3));
    });
}
