//! The arguments of `#[main]` and `#[test]`.

use crate::entry::Kind;
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, ExprPath, ExprUnary, Ident, Lit, Path, Result, Token};

const NAMES: &str =
    "`flavor`, `worker_threads`, `start_paused`, `crate`, `unhandled_panic`, `name`";

/// One `name = value`.
struct Argument {
    name: Ident,
    value: Expr,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.call(Ident::parse_any)?;
        if !input.peek(Token![=]) {
            return Err(Error::new(name.span(), bare_word(&name.to_string())));
        }
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        Ok(Self { name, value })
    }
}

/// The complaint about a word that has no value.
fn bare_word(name: &str) -> String {
    let flavor = match name {
        "threaded_scheduler" | "multi_thread" => "multi_thread",
        "basic_scheduler" | "current_thread" | "single_threaded" => "current_thread",
        "local" => "local",
        "flavor" | "worker_threads" | "start_paused" | "crate" | "unhandled_panic" | "name" => {
            return format!("`{name}` needs a value: write `{name} = ..`");
        }
        _ => return format!("unknown option `{name}`; the options are {NAMES}"),
    };
    format!("`{name}` is a flavor: write `flavor = \"{flavor}\"`")
}

#[derive(Clone, Copy, PartialEq)]
enum Flavor {
    MultiThread,
    CurrentThread,
    Local,
}

/// A value and where it was given.
type Given<T> = Option<(T, Span)>;

#[derive(Default)]
struct Options {
    flavor: Given<Flavor>,
    worker_threads: Given<Expr>,
    start_paused: Given<bool>,
    unhandled_panic: Given<Ident>,
    name: Given<String>,
    path: Given<Path>,
}

/// Sets an option that was not set before.
fn set<T>(place: &mut Given<T>, name: &Ident, value: T) -> Result<()> {
    if place.is_some() {
        let text = format!("`{name}` is set more than once");
        return Err(Error::new(name.span(), text));
    }
    *place = Some((value, name.span()));
    Ok(())
}

fn string(name: &Ident, value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.value()),
        // `flavor = current_thread` is plain enough.
        Expr::Path(ExprPath { path, .. }) if path.get_ident().is_some() => {
            Ok(path.require_ident()?.to_string())
        }
        other => {
            let text = format!("the value of `{name}` must be a string literal");
            Err(Error::new(other.span(), text))
        }
    }
}

fn boolean(name: &Ident, value: &Expr) -> Result<bool> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(flag),
            ..
        }) => Ok(flag.value),
        other => {
            let text = format!("the value of `{name}` must be `true` or `false`");
            Err(Error::new(other.span(), text))
        }
    }
}

/// A number above zero, or a path or call that gives one: that is checked when the program runs.
fn count(name: &Ident, value: Expr) -> Result<Expr> {
    let wrong = |span| {
        let text = format!("the value of `{name}` must be a whole number above zero");
        Err(Error::new(span, text))
    };
    match &value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => match number.base10_parse::<usize>() {
            Ok(1..) => Ok(value),
            _ => wrong(number.span()),
        },
        Expr::Lit(_) | Expr::Unary(ExprUnary { .. }) => wrong(value.span()),
        _ => Ok(value),
    }
}

impl Options {
    fn read(&mut self, Argument { name, value }: Argument) -> Result<()> {
        match name.to_string().as_str() {
            "flavor" => {
                let flavor = match string(&name, &value)?.as_str() {
                    "multi_thread" => Flavor::MultiThread,
                    "current_thread" => Flavor::CurrentThread,
                    "local" => Flavor::Local,
                    other => {
                        let text = format!(
                            "there is no flavor `{other}`; the flavors are `current_thread`, \
                             `multi_thread` and `local`"
                        );
                        return Err(Error::new(value.span(), text));
                    }
                };
                set(&mut self.flavor, &name, flavor)
            }
            "worker_threads" => {
                let value = count(&name, value)?;
                set(&mut self.worker_threads, &name, value)
            }
            "start_paused" => set(&mut self.start_paused, &name, boolean(&name, &value)?),
            "name" => set(&mut self.name, &name, string(&name, &value)?),
            "crate" => {
                let text = string(&name, &value)?;
                let path = syn::parse_str(&text).map_err(|_| {
                    let text = format!("`{text}` is not the path of a crate");
                    Error::new(value.span(), text)
                })?;
                set(&mut self.path, &name, path)
            }
            "unhandled_panic" => {
                let variant = match string(&name, &value)?.as_str() {
                    "ignore" => "Ignore",
                    "shutdown_runtime" => "ShutdownRuntime",
                    other => {
                        let text = format!(
                            "there is no such reaction as `{other}`; there are `ignore` and \
                             `shutdown_runtime`"
                        );
                        return Err(Error::new(value.span(), text));
                    }
                };
                let variant = Ident::new(variant, Span::call_site());
                set(&mut self.unhandled_panic, &name, variant)
            }
            other => Err(Error::new(name.span(), bare_word_with_value(other))),
        }
    }

    /// Which options go together.
    fn check(&self, flavor: Flavor, kind: Kind) -> Result<()> {
        let attribute = kind.name();
        if let Some((_, span)) = self.worker_threads {
            if flavor != Flavor::MultiThread {
                let text = format!(
                    "`worker_threads` needs the multi-thread runtime: write \
                     `#[{attribute}(flavor = \"multi_thread\", worker_threads = ..)]`"
                );
                return Err(Error::new(span, text));
            }
        }
        let paused = self.start_paused.as_ref();
        let span = paused.filter(|(paused, _)| *paused).map(|(_, span)| span);
        let panics = self.unhandled_panic.as_ref().map(|(_, span)| span);
        for (name, span) in [("start_paused", span), ("unhandled_panic", panics)] {
            if let (Some(span), Flavor::MultiThread) = (span, flavor) {
                let text = format!(
                    "`{name}` needs a runtime on the current thread: write \
                     `#[{attribute}(flavor = \"current_thread\", {name} = ..)]`"
                );
                return Err(Error::new(*span, text));
            }
        }
        Ok(())
    }
}

fn bare_word_with_value(name: &str) -> String {
    format!("unknown option `{name}`; the options are {NAMES}")
}

/// The expression that builds the runtime the arguments ask for.
pub(crate) fn runtime(args: TokenStream, kind: Kind, default_path: &str) -> Result<TokenStream> {
    let parser = Punctuated::<Argument, Token![,]>::parse_terminated;
    let arguments = syn::parse::Parser::parse2(parser, args)?;
    let mut options = Options::default();
    for argument in arguments {
        options.read(argument)?;
    }
    let default_flavor = match kind {
        Kind::Main => Flavor::MultiThread,
        Kind::Test => Flavor::CurrentThread,
    };
    let flavor = options.flavor.map_or(default_flavor, |(flavor, _)| flavor);
    options.check(flavor, kind)?;
    let path = match options.path {
        Some((path, _)) => path,
        None => syn::parse_str(default_path)?,
    };
    let constructor = match flavor {
        Flavor::MultiThread => quote! { new_multi_thread() },
        Flavor::CurrentThread | Flavor::Local => quote! { new_current_thread() },
    };
    let mut settings = TokenStream::new();
    if let Some((count, _)) = options.worker_threads {
        settings.extend(quote! { .worker_threads(#count) });
    }
    if let Some((paused, _)) = options.start_paused {
        settings.extend(quote! { .start_paused(#paused) });
    }
    if let Some((variant, _)) = options.unhandled_panic {
        settings.extend(quote! { .unhandled_panic(#path::runtime::UnhandledPanic::#variant) });
    }
    if let Some((name, _)) = options.name {
        settings.extend(quote! { .name(#name) });
    }
    let build = match flavor {
        Flavor::Local => {
            quote! { build_local(#path::runtime::LocalOptions::default()) }
        }
        Flavor::MultiThread | Flavor::CurrentThread => quote! { build() },
    };
    Ok(quote! {
        #path::runtime::Builder::#constructor
            .enable_all()
            #settings
            .#build
            .expect("the runtime could not be built")
    })
}
