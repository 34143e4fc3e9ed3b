local Account = {}
function Account:show()
  print(self.balance)
end
Account.show()
