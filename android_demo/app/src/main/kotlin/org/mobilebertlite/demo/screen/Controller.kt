package org.mobilebertlite.demo.screen

/** Holds the state of a screen, which is replaced and never changed, and tells one listener of each new one. */
abstract class Controller<S>(initial: S) {
    var state: S = initial
        protected set(value) {
            if (value == field) return
            field = value
            listener?.invoke(value)
        }

    private var listener: ((S) -> Unit)? = null

    /** Tells [listener] the present state and, until [detach], those to come. */
    fun attach(listener: (S) -> Unit) {
        this.listener = listener
        listener(state)
    }

    fun detach() {
        listener = null
    }
}
