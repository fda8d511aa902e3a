//! Models of the idle protocol. A worker that sleeps although work is queued would hang a model:
//! loom reports the deadlock.

use super::*;
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::atomic::AtomicUsize;
use zokio_base::sync::{Arc, Condvar, Mutex, model, thread};

/// A scheduler reduced to a count of queued tasks.
struct Small {
    idle: Idle,
    queued: AtomicUsize,
    left: AtomicUsize,
    /// How many tasks have to be running before one of them ends.
    together: usize,
    running: Mutex<usize>,
    joined: Condvar,
    unparkers: Vec<Unparker>,
}

impl Small {
    fn new(workers: usize, tasks: usize) -> (Arc<Self>, Vec<Parker>) {
        Self::with_rendezvous(workers, tasks, 0)
    }

    fn with_rendezvous(workers: usize, tasks: usize, together: usize) -> (Arc<Self>, Vec<Parker>) {
        let parkers: Vec<_> = (0..workers).map(|_| Parker::new()).collect();
        let small = Self {
            idle: Idle::new(workers as u32),
            queued: AtomicUsize::new(0),
            left: AtomicUsize::new(tasks),
            together,
            running: Mutex::new(0),
            joined: Condvar::new(),
            unparkers: parkers.iter().map(Parker::unparker).collect(),
        };
        (Arc::new(small), parkers)
    }

    fn wake_one(&self) {
        if let Some(index) = self.idle.worker_to_wake() {
            self.unparkers[index as usize].unpark();
        }
    }

    fn push(&self) {
        // Release and relaxed as the real queues: the fences of the protocol do the rest.
        self.queued.fetch_add(1, Ordering::Release);
        self.wake_one();
    }

    fn take(&self) -> bool {
        let mut queued = self.queued.load(Ordering::Acquire);
        while queued > 0 {
            match self.queued.compare_exchange(
                queued,
                queued - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => queued = now,
            }
        }
        false
    }

    /// A task: waits for the others that have to run at the same time.
    fn run(&self) {
        let mut running = self.running.lock();
        *running += 1;
        while *running < self.together {
            running = self.joined.wait(running);
        }
        self.joined.notify_all();
    }

    /// A worker's life, until all tasks were run. The last task wakes everyone up.
    fn work(&self, index: u32, parker: &Parker) {
        let mut searching = false;
        while self.left.load(Ordering::Acquire) > 0 {
            if !searching {
                searching = self.idle.begin_search();
            }
            if self.take() {
                if std::mem::take(&mut searching) && self.idle.end_search() {
                    self.wake_one();
                }
                self.run();
                if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.unparkers.iter().for_each(Unparker::unpark);
                }
                continue;
            }
            self.idle.sleep(index, std::mem::take(&mut searching));
            let sees_work = self.queued.load(Ordering::Relaxed) > 0;
            if !sees_work && self.left.load(Ordering::Acquire) > 0 {
                parker.park();
            }
            match self.idle.rise(index) {
                Risen::Sent => searching = true,
                Risen::Alone if sees_work => {
                    self.idle.join_search();
                    searching = true;
                }
                Risen::Alone => {}
            }
        }
    }
}

#[test]
fn one_worker_one_task() {
    model(|| {
        let (small, parkers) = Small::new(1, 1);
        let worker = {
            let small = small.clone();
            thread::spawn(move || small.work(0, &parkers[0]))
        };
        small.push();
        worker.join().unwrap();
    });
}

#[test]
fn one_worker_two_tasks() {
    model(|| {
        let (small, parkers) = Small::new(1, 2);
        let worker = {
            let small = small.clone();
            thread::spawn(move || small.work(0, &parkers[0]))
        };
        small.push();
        small.push();
        worker.join().unwrap();
    });
}

#[test]
fn two_workers_one_task() {
    model(|| {
        let (small, parkers) = Small::new(2, 1);
        let workers: Vec<_> = (0..)
            .zip(parkers)
            .map(|(index, parker)| {
                let small = small.clone();
                thread::spawn(move || small.work(index, &parker))
            })
            .collect();
        small.push();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

/// The same with the searches left out, so that more of the wakes reach a sleeper: a waker and a
/// worker that both queue work for one that falls asleep.
#[test]
fn a_worker_wakes_another() {
    model(|| {
        let (small, mut parkers) = Small::new(2, 2);
        let second = parkers.pop().unwrap();
        let other = {
            let small = small.clone();
            thread::spawn(move || small.work(1, &second))
        };
        small.push();
        small.push();
        // This thread is worker 0, awake in a long poll: it never takes anything.
        other.join().unwrap();
    });
}

/// Each of two tasks waits for the other, so both workers have to come: the searcher that finds
/// the first task has to send another for the second.
#[test]
fn two_tasks_get_two_workers() {
    model(|| {
        let (small, mut parkers) = Small::with_rendezvous(2, 2, 2);
        let second = parkers.pop().unwrap();
        let other = {
            let small = small.clone();
            thread::spawn(move || small.work(1, &second))
        };
        // Queued by this thread before it becomes worker 0.
        small.push();
        small.push();
        small.work(0, &parkers[0]);
        other.join().unwrap();
    });
}

/// The same, where the tasks are queued from outside while both workers may be asleep.
#[test]
fn two_remote_tasks_get_two_workers() {
    model(|| {
        let (small, parkers) = Small::with_rendezvous(2, 2, 2);
        let workers: Vec<_> = (0..)
            .zip(parkers)
            .map(|(index, parker)| {
                let small = small.clone();
                thread::spawn(move || small.work(index, &parker))
            })
            .collect();
        small.push();
        small.push();
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

/// A worker moves a task from its inbox to its ring and is busy from then on. The other one looks at the
/// ring first and at the inbox afterwards, so that the move may fall in between, at both of its looks.
#[test]
fn a_move_between_two_queues_is_not_missed() {
    model(|| {
        let parker = Parker::new();
        let unparker = parker.unparker();
        let small = Arc::new((Idle::new(2), AtomicUsize::new(0), AtomicUsize::new(0)));
        let wake_one = |idle: &Idle| {
            if idle.worker_to_wake().is_some() {
                unparker.unpark();
            }
        };
        let other = {
            let small = small.clone();
            thread::spawn(move || {
                let (idle, ring, inbox) = &*small;
                let take = |queue: &AtomicUsize| {
                    queue
                        .compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed)
                        .is_ok()
                };
                let mut searching = false;
                loop {
                    searching = searching || idle.begin_search();
                    if take(ring) || take(inbox) {
                        break;
                    }
                    idle.sleep(1, std::mem::take(&mut searching));
                    let sees_work =
                        ring.load(Ordering::Relaxed) > 0 || inbox.load(Ordering::Relaxed) > 0;
                    if !sees_work {
                        parker.park();
                    }
                    match idle.rise(1) {
                        Risen::Sent => searching = true,
                        Risen::Alone if sees_work => {
                            idle.join_search();
                            searching = true;
                        }
                        Risen::Alone => {}
                    }
                }
            })
        };
        let (idle, ring, inbox) = &*small;
        // From outside.
        inbox.store(1, Ordering::Release);
        wake_one(idle);
        // As worker 0.
        if inbox
            .compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
        {
            ring.store(1, Ordering::Release);
            wake_one(idle);
        }
        other.join().unwrap();
    });
}
