;; Does nothing.
(func $configured (param i32 i32))
(func $evaluated (param i32 i32))
