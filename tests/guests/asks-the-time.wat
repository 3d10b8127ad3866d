;; Asks for a function that the contract does not have.
(import "portreeve:policy/request@1.0.0" "clock" (func $clock (result i64)))
(func $configured (param i32 i32))
(func $evaluated (param i32 i32)
  (drop (call $clock)))
