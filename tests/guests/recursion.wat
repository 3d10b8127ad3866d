;; Calls itself until there is no stack left.
(func $configured (param i32 i32))
(func $deeper (param $depth i32) (result i32)
  (i32.add (call $deeper (i32.add (local.get $depth) (i32.const 1))) (local.get $depth)))
(func $evaluated (param i32 i32)
  (drop (call $deeper (i32.const 0))))
