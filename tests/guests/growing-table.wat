;; Asks for a table of ten million elements.
(table $table 1 funcref)
(func $configured (param i32 i32))
(func $evaluated (param i32 i32)
  (drop (table.grow $table (ref.null func) (i32.const 10000000))))
