;; Gives up with the settings of its first instance as the reason, so that one can see what it remembers.
;; An instance is id, policy, settings: 24 bytes, settings at 16. An outcome's case 2 is `failed`.
(global $settings (mut i64) (i64.const 0))
(func $configured (param $instances i32) (param i32)
  (global.set $settings (i64.load (i32.add (local.get $instances) (i32.const 16)))))
(func $evaluated (param i32 i32)
  (i32.store8 (i32.const 0x8008) (i32.const 2))
  (i64.store (i32.const 0x800c) (global.get $settings)))
