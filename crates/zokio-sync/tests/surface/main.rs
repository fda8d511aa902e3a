//! The surface of every primitive that users see, however it was made and whatever state it is in.

mod made;
mod parts;
mod shown;
