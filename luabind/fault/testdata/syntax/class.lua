class Account {
}
