//! zokio-driver.
