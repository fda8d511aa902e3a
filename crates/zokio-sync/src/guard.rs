//! The methods that all guards have in common, written once.
//!
//! A guard reaches its value through the field `data`, a raw pointer that is valid for as long as
//! the guard holds its lock.

/// `Deref`, `Debug` and `Display` for a guard.
macro_rules! shared_guard {
    ([$($params:tt)*] $guard:ty => $target:ident) => {
        impl<$($params)*> std::ops::Deref for $guard {
            type Target = $target;

            #[inline]
            fn deref(&self) -> &$target {
                // SAFETY: the guard holds the lock, so the value is there and nobody changes it.
                unsafe { &*self.data }
            }
        }

        impl<$($params)*> std::fmt::Debug for $guard
        where
            $target: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<$($params)*> std::fmt::Display for $guard
        where
            $target: std::fmt::Display,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }
    };
}

/// As [`shared_guard`], and `DerefMut`: for guards that exclude all others.
macro_rules! exclusive_guard {
    ([$($params:tt)*] $guard:ty => $target:ident) => {
        $crate::guard::shared_guard!([$($params)*] $guard => $target);

        impl<$($params)*> std::ops::DerefMut for $guard {
            #[inline]
            fn deref_mut(&mut self) -> &mut $target {
                // SAFETY: the guard holds the lock and excludes all others.
                unsafe { &mut *self.data }
            }
        }
    };
}

pub(crate) use {exclusive_guard, shared_guard};
