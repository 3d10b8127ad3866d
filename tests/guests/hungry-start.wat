;; Wants a gigabyte before it says anything.
(func $configured (param i32 i32))
(func $evaluated (param i32 i32))
(func $start
  (drop (memory.grow (i32.const 16384))))
(start $start)
