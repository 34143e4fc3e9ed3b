function foo() {
  print('x')
}
