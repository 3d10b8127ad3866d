;; Answers with five thousand violations whose messages are the same 100,000 bytes: small in here, half a gigabyte
;; when copied out. A violation has 60 bytes, its message at 32.
(func $configured (param i32 i32))
(func $evaluated (param i32 i32)
  (local $turn i32)
  (i32.store (i32.const 0x800c) (i32.const 0x80000))
  (i32.store (i32.const 0x8010) (i32.const 5000))
  (loop $each
    (i32.store
      (i32.add (i32.const 0x80024) (i32.mul (local.get $turn) (i32.const 60)))
      (i32.const 100000))
    (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
    (br_if $each (i32.lt_u (local.get $turn) (i32.const 5000)))))
