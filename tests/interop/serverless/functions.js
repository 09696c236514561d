// Functions that tests/interop/test_lambda_walk.py calls.
'use strict'

exports.hello = async (event, context) =>
  ({ hello: 'world', event, version: process.version.split('.')[0], name: context.functionName })

exports.page = async event => ({
  statusCode: 201,
  headers: { 'content-type': 'text/html', 'x-method': event.requestContext.http.method },
  cookies: ['a=1', 'b=2'],
  body: `<p>${event.rawPath}?${event.rawQueryString}</p>`
})

exports.throws = async () => { throw new TypeError('it threw') }

let count = 0
exports.counts = async () => ({ count: ++count })
