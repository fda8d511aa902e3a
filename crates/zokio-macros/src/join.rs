//! The expansions of `join!` and `try_join!`.
//!
//! ```text
//! {
//!     let mut futures = (maybe_done(a), maybe_done(b));
//!     let futures = &mut futures;
//!     let mut rotator = ..;                     // who is polled first this time
//!     poll_fn(move |cx| { in turn: poll; all done? take the outputs }).await
//! }
//! ```
//!
//! The outputs go through a generic function that returns a `Poll`: an output without values (`!`)
//! then makes no code of the expansion unreachable in the compiler's eyes.

use crate::select::parse_biased;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Index, Result, Token, bracketed};

pub(crate) struct Join {
    path: TokenStream,
    biased: bool,
    futures: Vec<Expr>,
}

impl Parse for Join {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path;
        bracketed!(path in input);
        let path = path.parse()?;
        let biased = parse_biased(input)?;
        let futures = Punctuated::<Expr, Token![,]>::parse_terminated(input)?;
        Ok(Self {
            path,
            biased,
            futures: futures.into_iter().collect(),
        })
    }
}

impl Join {
    pub(crate) fn expand(self) -> TokenStream {
        if self.futures.is_empty() {
            return quote! { async {}.await };
        }
        let path = &self.path;
        let poll = |pinned: TokenStream| {
            quote! {
                if #path::macros::support::Future::poll(#pinned, cx).is_pending() {
                    is_pending = true;
                }
            }
        };
        let types = self.types();
        let numbers = self.numbers();
        let outputs = quote! {
            fn __zokio_outputs<#(#types),*>(
                outputs: (#(::core::option::Option<#types>,)*),
            ) -> #path::macros::support::Poll<(#(#types,)*)> {
                #path::macros::support::Poll::Ready((
                    #(outputs.#numbers.expect("the future is done"),)*
                ))
            }
        };
        self.wait(poll, &outputs)
    }

    pub(crate) fn expand_try(self) -> TokenStream {
        if self.futures.is_empty() {
            return quote! { async { ::core::result::Result::Ok(()) }.await };
        }
        let path = &self.path;
        let poll = |pinned: TokenStream| {
            quote! {
                match #path::macros::support::try_poll(#pinned, cx) {
                    #path::macros::support::Poll::Pending => is_pending = true,
                    #path::macros::support::Poll::Ready(::core::option::Option::None) => {}
                    #path::macros::support::Poll::Ready(::core::option::Option::Some(error)) => {
                        return #path::macros::support::Poll::Ready(
                            ::core::result::Result::Err(error)
                        );
                    }
                }
            }
        };
        let types = self.types();
        let numbers = self.numbers();
        let outputs = quote! {
            fn __zokio_outputs<#(#types,)* E>(
                outputs: (#(::core::option::Option<::core::result::Result<#types, E>>,)*),
            ) -> #path::macros::support::Poll<::core::result::Result<(#(#types,)*), E>> {
                #path::macros::support::Poll::Ready(::core::result::Result::Ok((
                    #(match outputs.#numbers.expect("the future is done") {
                        ::core::result::Result::Ok(output) => output,
                        ::core::result::Result::Err(_) => {
                            ::core::unreachable!("an error was returned before")
                        }
                    },)*
                )))
            }
        };
        self.wait(poll, &outputs)
    }

    fn types(&self) -> Vec<Ident> {
        let numbers = 0..self.futures.len();
        numbers.map(|i| format_ident!("T{i}")).collect()
    }

    fn numbers(&self) -> Vec<Index> {
        (0..self.futures.len()).map(Index::from).collect()
    }

    /// The block that waits for all. `poll` makes the statement that polls one.
    fn wait(
        &self,
        poll: impl Fn(TokenStream) -> TokenStream,
        outputs: &TokenStream,
    ) -> TokenStream {
        let (path, futures, numbers) = (&self.path, &self.futures, self.numbers());
        let arms = numbers.iter().map(|number| {
            let index = number.index;
            let poll = poll(quote! {
                // SAFETY: the tuple is not moved before it is dropped, and nobody else can name it.
                unsafe { #path::macros::support::Pin::new_unchecked(&mut futures.#number) }
            });
            quote! { #index => { #poll } }
        });
        let count = self.futures.len() as u32;
        let kind = if self.biased {
            quote! { SelectBiased }
        } else {
            quote! { SelectNormal }
        };
        quote! {
            {
                #outputs
                let mut futures = (#(#path::macros::support::maybe_done(#futures),)*);
                let futures = &mut futures;
                let mut rotator = <
                    <#path::macros::support::#kind as #path::macros::support::RotatorSelect>
                        ::Rotator<#count> as ::core::default::Default
                >::default();
                #path::macros::support::poll_fn(move |cx| {
                    let mut is_pending = false;
                    let start = rotator.num_skip();
                    for turn in 0..#count {
                        #[allow(clippy::modulo_one)]
                        let branch = (start + turn) % #count;
                        match branch {
                            #(#arms)*
                            _ => ::core::unreachable!("there are not so many futures"),
                        }
                    }
                    if is_pending {
                        return #path::macros::support::Poll::Pending;
                    }
                    __zokio_outputs((
                        #(
                            // SAFETY: as above.
                            unsafe {
                                #path::macros::support::Pin::new_unchecked(&mut futures.#numbers)
                            }
                            .take_output(),
                        )*
                    ))
                })
                .await
            }
        }
    }
}
