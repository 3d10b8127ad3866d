;; What every guest here has: one policy named `plain` that accepts any settings and finds nothing. A guest adds two
;; hooks, $configured (with configure's list) and $evaluated (with evaluate's list), and may write over the answer.
;; Layouts are those of the canonical ABI: a list or string is (pointer, length); see wit/policy.wit for the fields.
(memory (export "memory") 16)
(global $free (mut i32) (i32.const 0x20000))

;; Never gives anything back; ids and settings are small.
(func (export "cabi_realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
  (local $at i32)
  (local.set $at
    (i32.and
      (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get $align))))
  (global.set $free (i32.add (local.get $at) (local.get $size)))
  (local.get $at))

;; The manifest: name, version, title, description, can, resources, facts, settings schema, controls.
(data (i32.const 0x100) "plain" "1.0.0" "{}")
(data (i32.const 0x200)
  "\00\01\00\00\05\00\00\00" "\05\01\00\00\05\00\00\00" "\00\01\00\00\05\00\00\00" "\00\01\00\00\05\00\00\00"
  "\01\00\00\00" "\00\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\0a\01\00\00\02\00\00\00"
  "\00\00\00\00\00\00\00\00")
(data (i32.const 0x1f0) "\00\02\00\00\01\00\00\00")
(func (export "describe") (result i32)
  (i32.const 0x1f0))

;; Zeros at 0x1000 are results without an error.
(func (export "configure") (param $instances i32) (param $count i32) (result i32)
  (call $configured (local.get $instances) (local.get $count))
  (i32.store (i32.const 0x300) (i32.const 0x1000))
  (i32.store (i32.const 0x304) (local.get $count))
  (i32.const 0x300))

;; One answer at 0x8000 for each id, 48 bytes: the id, then a verdict of zeros, which is an empty one.
(func (export "evaluate") (param $ids i32) (param $count i32) (result i32)
  (local $turn i32)
  (i32.store (i32.const 0x310) (i32.const 0x8000))
  (i32.store (i32.const 0x314) (local.get $count))
  (loop $each
    (if (i32.lt_u (local.get $turn) (local.get $count))
      (then
        (i64.store
          (i32.add (i32.const 0x8000) (i32.mul (local.get $turn) (i32.const 48)))
          (i64.load (i32.add (local.get $ids) (i32.mul (local.get $turn) (i32.const 8)))))
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br $each))))
  (call $evaluated (local.get $ids) (local.get $count))
  (i32.const 0x310))
