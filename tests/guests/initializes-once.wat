;; Traps when it is initialized a second time, as C guests do. Put together with another guest.
(global $initialized (mut i32) (i32.const 0))
(func (export "_initialize")
  (if (global.get $initialized) (then unreachable))
  (global.set $initialized (i32.const 1)))
