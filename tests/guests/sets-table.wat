;; Sets an element of a table, so that it can't be frozen. Put together with another guest.
(table $table 1 funcref)
(func (export "never-called")
  (table.set $table (i32.const 0) (ref.null func)))
