//! A doubly linked list through links that live in the nodes themselves.
//!
//! The list owns nothing: it strings together nodes that somebody else keeps alive and in place.
//! That is what a waiter in a future needs, which joins a queue without an allocation and leaves it
//! from the middle when the future is dropped.
//!
//! Invariants:
//!
//! 1. A node's links are touched only by the list it is in, under whatever lock guards the list.
//! 2. A node that is in a list stays alive and in place until it is removed.
//! 3. A node that is in no list has `linked == false` and both pointers empty.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomPinned;
use std::ptr::NonNull;

/// The links of a node.
pub struct Links<T> {
    previous: Option<NonNull<T>>,
    next: Option<NonNull<T>>,
    linked: bool,
    /// Nodes are found by their address.
    _pin: PhantomPinned,
}

impl<T> Links<T> {
    /// The links of a node that is in no list.
    pub const fn new() -> Self {
        Self {
            previous: None,
            next: None,
            linked: false,
            _pin: PhantomPinned,
        }
    }

    /// Whether the node is in a list.
    pub fn is_linked(&self) -> bool {
        self.linked
    }
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Links<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links")
            .field("linked", &self.linked)
            .finish_non_exhaustive()
    }
}

/// A type that holds [`Links`].
///
/// # Safety
/// `links` returns a pointer to links inside of `node`, always the same ones for one node, and
/// makes no reference to the rest of it.
pub unsafe trait Node: Sized {
    /// Where the node keeps its links.
    ///
    /// # Safety
    /// `node` points to a live node.
    unsafe fn links(node: NonNull<Self>) -> NonNull<Links<Self>>;
}

/// A list of nodes that others own.
pub struct List<T: Node> {
    head: Option<NonNull<T>>,
    tail: Option<NonNull<T>>,
}

// SAFETY: the list holds addresses of nodes; moving it between threads moves access to the nodes,
// which is sound where the nodes themselves may be moved there.
unsafe impl<T: Node + Send> Send for List<T> {}
// SAFETY: a shared list gives out no access to its nodes.
unsafe impl<T: Node + Send> Sync for List<T> {}

impl<T: Node> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Node> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("is_empty", &self.is_empty())
            .finish()
    }
}

impl<T: Node> List<T> {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            head: None,
            tail: None,
        }
    }

    /// Whether the list holds no node.
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The first node.
    pub fn front(&self) -> Option<NonNull<T>> {
        self.head
    }

    /// The last node.
    pub fn back(&self) -> Option<NonNull<T>> {
        self.tail
    }

    /// The node behind `node`.
    ///
    /// # Safety
    /// `node` is in this list.
    pub unsafe fn next(&self, node: NonNull<T>) -> Option<NonNull<T>> {
        // SAFETY: invariant 2, the node is alive; invariant 1, we hold the list.
        unsafe { T::links(node).as_ref().next }
    }

    /// Adds `node` at the end.
    ///
    /// # Safety
    /// `node` is alive, in no list, and stays alive and in place until it is removed.
    pub unsafe fn push_back(&mut self, node: NonNull<T>) {
        // SAFETY: the caller promises a live node in no list; `tail` is alive by invariant 2.
        unsafe {
            let links = T::links(node).as_mut();
            debug_assert!(!links.linked, "the node is in a list already");
            *links = Links {
                previous: self.tail,
                next: None,
                linked: true,
                _pin: PhantomPinned,
            };
            match self.tail {
                Some(tail) => T::links(tail).as_mut().next = Some(node),
                None => self.head = Some(node),
            }
        }
        self.tail = Some(node);
    }

    /// Adds `node` at the front.
    ///
    /// # Safety
    /// As for [`push_back`](Self::push_back).
    pub unsafe fn push_front(&mut self, node: NonNull<T>) {
        // SAFETY: the caller promises a live node in no list; `head` is alive by invariant 2.
        unsafe {
            let links = T::links(node).as_mut();
            debug_assert!(!links.linked, "the node is in a list already");
            *links = Links {
                previous: None,
                next: self.head,
                linked: true,
                _pin: PhantomPinned,
            };
            match self.head {
                Some(head) => T::links(head).as_mut().previous = Some(node),
                None => self.tail = Some(node),
            }
        }
        self.head = Some(node);
    }

    /// Takes the first node out.
    pub fn pop_front(&mut self) -> Option<NonNull<T>> {
        let node = self.head?;
        // SAFETY: `head` is in this list.
        unsafe { self.remove(node) };
        Some(node)
    }

    /// Takes the last node out.
    pub fn pop_back(&mut self) -> Option<NonNull<T>> {
        let node = self.tail?;
        // SAFETY: `tail` is in this list.
        unsafe { self.remove(node) };
        Some(node)
    }

    /// Takes `node` out, wherever it stands. Returns false if it was in no list.
    ///
    /// # Safety
    /// `node` is alive, and in this list or in none.
    pub unsafe fn remove(&mut self, node: NonNull<T>) -> bool {
        // SAFETY: the caller promises a live node; its neighbours are alive by invariant 2.
        unsafe {
            let links = T::links(node).as_mut();
            if !links.linked {
                return false;
            }
            let (previous, next) = (links.previous, links.next);
            *links = Links::new();
            // The node of another list would leave this one's ends pointing to freed memory. Models,
            // which do not see that, look too.
            if cfg!(any(debug_assertions, zokio_loom)) {
                assert!(previous.is_some() || self.head == Some(node));
                assert!(next.is_some() || self.tail == Some(node));
            }
            match previous {
                Some(previous) => T::links(previous).as_mut().next = next,
                None => self.head = next,
            }
            match next {
                Some(next) => T::links(next).as_mut().previous = previous,
                None => self.tail = previous,
            }
        }
        true
    }

    /// Moves every node of `other` behind this list's last one.
    pub fn append(&mut self, other: &mut Self) {
        let (Some(head), Some(tail)) = (other.head.take(), other.tail.take()) else {
            return;
        };
        match self.tail {
            // SAFETY: both are alive by invariant 2, and both lists are borrowed exclusively.
            Some(last) => unsafe {
                T::links(last).as_mut().next = Some(head);
                T::links(head).as_mut().previous = Some(last);
            },
            None => self.head = Some(head),
        }
        self.tail = Some(tail);
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    struct Item {
        value: usize,
        links: Links<Item>,
    }

    // SAFETY: the links are a field of the node.
    unsafe impl Node for Item {
        unsafe fn links(node: NonNull<Self>) -> NonNull<Links<Self>> {
            // SAFETY: the caller promises a live node, so the field's address is in bounds.
            unsafe { NonNull::new_unchecked(&raw mut (*node.as_ptr()).links) }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        PushBack(usize),
        PushFront(usize),
        PopFront,
        PopBack,
        Remove(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..8_usize).prop_map(Step::PushBack),
            (0..8_usize).prop_map(Step::PushFront),
            Just(Step::PopFront),
            Just(Step::PopBack),
            (0..8_usize).prop_map(Step::Remove),
        ]
    }

    #[test]
    fn lists_are_joined_and_the_second_is_empty_then() {
        let mut nodes: Vec<Item> = (0..4)
            .map(|value| Item {
                value,
                links: Links::default(),
            })
            .collect();
        let (mut first, mut second) = (List::default(), List::default());
        // SAFETY: the nodes live until the end of the test, and each is pushed once.
        unsafe {
            for (index, node) in nodes.iter_mut().enumerate() {
                let list = if index < 2 { &mut first } else { &mut second };
                list.push_back(NonNull::from(node));
            }
        }
        first.append(&mut List::new());
        first.append(&mut second);
        assert!(second.is_empty());
        second.append(&mut first);
        // SAFETY: as above.
        let value = |node: Option<NonNull<Item>>| node.map(|node| unsafe { node.as_ref().value });
        assert_eq!(value(second.back()), Some(3));
        assert_eq!(format!("{second:?}"), "List { is_empty: false }");
        let popped: Vec<_> = std::iter::from_fn(|| value(second.pop_front())).collect();
        assert_eq!(popped, [0, 1, 2, 3]);
        assert_eq!(
            format!("{:?}", nodes[0].links),
            "Links { linked: false, .. }"
        );
    }

    proptest! {
        #[test]
        fn behaves_as_a_deque(steps in prop::collection::vec(step(), 0..60)) {
            let nodes: Vec<NonNull<Item>> = (0..8)
                .map(|value| NonNull::from(Box::leak(Box::new(Item { value, links: Links::new() }))))
                .collect();
            let mut list = List::new();
            let mut naive = VecDeque::new();
            // SAFETY: the nodes live until the end of the test, and a node is pushed only while
            // it is in no list.
            unsafe {
                for step in steps {
                    match step {
                        Step::PushBack(index) if !naive.contains(&index) => {
                            list.push_back(nodes[index]);
                            naive.push_back(index);
                        }
                        Step::PushFront(index) if !naive.contains(&index) => {
                            list.push_front(nodes[index]);
                            naive.push_front(index);
                        }
                        Step::PushBack(_) | Step::PushFront(_) => {}
                        Step::PopFront => {
                            let popped = list.pop_front().map(|node| node.as_ref().value);
                            prop_assert_eq!(popped, naive.pop_front());
                        }
                        Step::PopBack => {
                            let popped = list.pop_back().map(|node| node.as_ref().value);
                            prop_assert_eq!(popped, naive.pop_back());
                        }
                        Step::Remove(index) => {
                            let place = naive.iter().position(|&other| other == index);
                            prop_assert_eq!(list.remove(nodes[index]), place.is_some());
                            place.map(|place| naive.remove(place));
                        }
                    }
                    let mut walked = Vec::new();
                    let mut cursor = list.front();
                    while let Some(node) = cursor {
                        walked.push(node.as_ref().value);
                        cursor = list.next(node);
                    }
                    prop_assert_eq!(&walked, &Vec::from(naive.clone()));
                    prop_assert_eq!(list.is_empty(), naive.is_empty());
                }
                for node in nodes {
                    drop(Box::from_raw(node.as_ptr()));
                }
            }
        }
    }
}
