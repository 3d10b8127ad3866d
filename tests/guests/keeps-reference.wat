;; Keeps a reference to a function, so that it can't be frozen. Put together with another guest.
(global $kept (mut funcref) (ref.null func))
