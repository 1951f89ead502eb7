#!/bin/sh
sort commits.txt | cut -d: -f1 | uniq -c | tr -s ' '
