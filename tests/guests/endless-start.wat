;; Its start function never ends.
(func $configured (param i32 i32))
(func $evaluated (param i32 i32))
(func $start
  (loop $on (br $on)))
(start $start)
