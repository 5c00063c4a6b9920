# What every server is asked in the same way; `signs_in` and `known` are its own.
new() {
    signs_in "$LOGIN" "$PASSWORD"
}

either() {
    new || known
}

# within WAY WORDS: the network opens to a new pod a moment after it starts.
within() {
    tries=1
    until "$1"; do
        [ "$tries" -lt "$TRIES" ] || refuse "$2"
        tries=$((tries + 1))
        sleep 2
    done
}

refuse() {
    echo "REFUSED: $*" >&2
    exit 78
}

