//! What users see of every primitive, however it was made and whatever state it is in.

mod made;
mod parts;
mod shown;
