local x = 1
switch (x) {
  case 1: print('one')
}
