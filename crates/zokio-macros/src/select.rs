//! The expansion of `select!`.
//!
//! ```text
//! {
//!     enum Output<T0, T1> { V0(T0), V1(T1), Disabled }
//!     let output = {
//!         let mut disabled: u8 = 0;                  // one bit for each branch
//!         if !(precondition) { disabled |= 1 << .. }
//!         let futures = (a, b);
//!         let mut futures = (into_future(a), into_future(b));
//!         poll_fn(|cx| { in turn: poll; does the pattern match? disabled |= 1 << .. }).await
//!     };
//!     match output { V0(pattern) => handler, .., Disabled => else }
//! }
//! ```
//!
//! The futures are gone before a handler runs, so that it may use what they had borrowed. Handlers
//! and preconditions stand outside of the closure: `?`, `break` and `return` in them mean what they
//! say. Names of the expansion cannot be seen by the user's expressions (they are hygienic), except
//! for the enum's.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Expr, Ident, Index, Pat, PatIdent, Result, Token, bracketed, token};

/// One bit each in a `u64`.
const BRANCH_COUNT_MAX: usize = 64;

struct Branch {
    pattern: Pat,
    future: Expr,
    precondition: Option<Expr>,
    handler: Expr,
}

pub(crate) struct Select {
    path: TokenStream,
    biased: bool,
    branches: Vec<Branch>,
    otherwise: Option<Expr>,
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path;
        bracketed!(path in input);
        let path = path.parse()?;
        let biased = parse_biased(input)?;
        let mut branches = Vec::new();
        let mut otherwise = None;
        while !input.is_empty() {
            if input.peek(Token![else]) {
                input.parse::<Token![else]>()?;
                input.parse::<Token![=>]>()?;
                otherwise = Some(parse_handler(input)?);
                if !input.is_empty() {
                    return Err(input.error("`else` must be the last branch of `select!`"));
                }
                break;
            }
            branches.push(input.parse()?);
        }
        if branches.is_empty() && otherwise.is_none() {
            let text = "`select!` needs a branch: `pattern = future => handler`";
            return Err(Error::new(Span::call_site(), text));
        }
        if branches.len() > BRANCH_COUNT_MAX {
            let text = format!("`select!` takes up to {BRANCH_COUNT_MAX} branches");
            return Err(Error::new(Span::call_site(), text));
        }
        Ok(Self {
            path,
            biased,
            branches,
            otherwise,
        })
    }
}

/// `biased;` at the head of the input.
pub(crate) fn parse_biased(input: ParseStream<'_>) -> Result<bool> {
    let ahead = input.fork();
    let is_biased = ahead.parse::<Ident>().is_ok_and(|word| word == "biased");
    if !is_biased || !ahead.peek(Token![;]) {
        return Ok(false);
    }
    input.parse::<Ident>()?;
    input.parse::<Token![;]>()?;
    Ok(true)
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let pattern = Pat::parse_multi_with_leading_vert(input)?;
        if input.peek(Token![=>]) {
            return Err(input.error("expected `=`: a branch is `pattern = future => handler`"));
        }
        input.parse::<Token![=]>()?;
        let future = input.parse()?;
        let precondition = if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        input.parse::<Token![=>]>()?;
        Ok(Self {
            pattern,
            future,
            precondition,
            handler: parse_handler(input)?,
        })
    }
}

/// A block, after which a comma may be left out, or any other expression.
fn parse_handler(input: ParseStream<'_>) -> Result<Expr> {
    if input.peek(token::Brace) {
        let block: syn::ExprBlock = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        return Ok(block.into());
    }
    let handler = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(handler)
}

/// Turns a pattern that takes a value apart into one that looks at a reference to it.
struct LookOnly;

impl VisitMut for LookOnly {
    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        pattern.by_ref = None;
        pattern.mutability = None;
        visit_mut::visit_pat_ident_mut(self, pattern);
    }
}

impl Select {
    pub(crate) fn expand(self) -> TokenStream {
        let Self {
            path,
            biased,
            branches,
            otherwise,
        } = self;
        let all_disabled = match otherwise {
            Some(handler) => quote! { #handler },
            None => quote! {
                ::core::panic!("all branches are disabled and there is no else branch")
            },
        };
        if branches.is_empty() {
            return quote! { { #all_disabled } };
        }
        let output = format_ident!("__ZokioSelectOutput", span = Span::mixed_site());
        let variants: Vec<Ident> = (0..branches.len()).map(|i| format_ident!("V{i}")).collect();
        let types: Vec<Ident> = (0..branches.len()).map(|i| format_ident!("T{i}")).collect();
        let wait = wait(&path, biased, &branches, &output, &variants);
        let patterns = branches.iter().map(|branch| &branch.pattern);
        let handlers = branches.iter().map(|branch| &branch.handler);
        quote! {
            {
                #[doc(hidden)]
                #[allow(clippy::large_enum_variant)]
                enum #output<#(#types),*> {
                    #(#variants(#types),)*
                    Disabled,
                }
                // A pattern may borrow it mutably.
                #[allow(unused_mut)]
                let mut output = #wait;
                match output {
                    #(#output::#variants(#patterns) => #handlers,)*
                    #output::Disabled => #all_disabled,
                    #[allow(unreachable_patterns)]
                    _ => ::core::unreachable!("the pattern was matched before"),
                }
            }
        }
    }
}

/// The block that waits for the first branch.
fn wait(
    path: &TokenStream,
    biased: bool,
    branches: &[Branch],
    output: &Ident,
    variants: &[Ident],
) -> TokenStream {
    let count = branches.len();
    let word = match count {
        0..=8 => quote! { u8 },
        9..=16 => quote! { u16 },
        17..=32 => quote! { u32 },
        _ => quote! { u64 },
    };
    let numbers: Vec<Index> = (0..count).map(Index::from).collect();
    let preconditions = branches.iter().zip(&numbers).map(|(branch, number)| {
        let precondition = branch.precondition.as_ref();
        precondition.map(|precondition| {
            quote! {
                if !(#precondition) {
                    disabled |= (1 as #word) << #number;
                }
            }
        })
    });
    let futures = branches.iter().map(|branch| &branch.future);
    let arms = branches.iter().zip(&numbers).zip(variants);
    let arms = arms.map(|((branch, number), variant)| {
        arm(path, &word, branch, number, &quote! { #output::#variant })
    });
    let count = count as u32;
    let start = if biased {
        quote! { 0_u32 }
    } else {
        quote! { #path::macros::support::thread_rng_n(#count) }
    };
    quote! {
        {
            let mut disabled: #word = 0;
            #(#preconditions)*
            let futures = (#(#futures,)*);
            let mut futures = (
                #(#path::macros::support::IntoFuture::into_future(futures.#numbers),)*
            );
            #path::macros::support::poll_fn(|cx| {
                #path::macros::support::ready!(
                    #path::macros::support::poll_budget_available(cx)
                );
                let disabled = &mut disabled;
                let futures = &mut futures;
                let mut is_pending = false;
                let start = #start;
                for turn in 0..#count {
                    #[allow(clippy::modulo_one)]
                    let branch = (start + turn) % #count;
                    match branch {
                        #(#arms)*
                        _ => ::core::unreachable!("there are not so many branches"),
                    }
                }
                if is_pending {
                    #path::macros::support::Poll::Pending
                } else {
                    #path::macros::support::Poll::Ready(#output::Disabled)
                }
            })
            .await
        }
    }
}

/// Polls one branch.
fn arm(
    path: &TokenStream,
    word: &TokenStream,
    branch: &Branch,
    number: &Index,
    variant: &TokenStream,
) -> TokenStream {
    let index = number.index;
    let mut look = branch.pattern.clone();
    LookOnly.visit_pat_mut(&mut look);
    quote! {
        #index => {
            let bit = (1 as #word) << #number;
            if *disabled & bit != 0 {
                continue;
            }
            // SAFETY: the tuple is not moved before it is dropped, and nobody else can name it.
            let future = unsafe {
                #path::macros::support::Pin::new_unchecked(&mut futures.#number)
            };
            let output = match #path::macros::support::Future::poll(future, cx) {
                #path::macros::support::Poll::Ready(output) => output,
                #path::macros::support::Poll::Pending => {
                    is_pending = true;
                    continue;
                }
            };
            // Done, whether its pattern matches or not.
            *disabled |= bit;
            #[allow(unused_variables, unused_mut, unreachable_patterns)]
            match &output {
                #look => {}
                _ => continue,
            }
            return #path::macros::support::Poll::Ready(#variant(output));
        }
    }
}
