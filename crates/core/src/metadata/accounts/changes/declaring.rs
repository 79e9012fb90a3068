//! How changes are declared.

/// Declares changes: a struct each, an operation each, and the sum of them.
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident, $operation:literal, $action:literal, |$it:ident| $target:expr,
        $namespace:expr, $detail:expr, requires $requirement:expr;
        { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            impl Operation for $name {
                const NAME: &'static str = $operation;
                const MUTATES: bool = true;

                fn requirement(&self) -> Requirement<'_> {
                    let $it = self;
                    let _ = $it;
                    $requirement
                }
            }

            impl From<$name> for AccountChange {
                fn from(change: $name) -> Self {
                    Self::$name(change)
                }
            }
        )*

        /// A change of accounts, grants, or of who may read.
        #[derive(Clone, Debug)]
        #[allow(missing_docs, reason = "each is the change of its name")]
        pub enum AccountChange {
            $($name($name),)*
        }

        impl AccountChange {
            fn about(&self) -> About {
                match self {
                    $(Self::$name($it) => About {
                        action: $action,
                        target: $target,
                        namespace: $namespace,
                        detail: $detail,
                    },)*
                }
            }
        }
    };
}

pub(super) use changes;
