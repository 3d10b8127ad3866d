;; Asks for an interface that is no policy's business.
(import "wasi:random/insecure@0.2.0" "number" (func $number (result i64)))
(func $configured (param i32 i32))
(func $evaluated (param i32 i32)
  (drop (call $number)))
