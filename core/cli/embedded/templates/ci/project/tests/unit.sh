#!/bin/sh
# Put the fast tests here.
set -eu
[ "$((2 + 2))" -eq 4 ]
echo "1 test passed"
