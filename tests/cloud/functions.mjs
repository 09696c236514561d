// The function that tests/cloud/test_lambda.py calls in a real account. Once:
//
//   zip functions.zip functions.mjs
//   aws lambda create-function --function-name gloo-gateway-check --runtime nodejs20.x \
//       --handler functions.handler --zip-file fileb://functions.zip --role ARN \
//       --timeout 3
//
// It returns its event; {"do": "throw"} and {"do": "sleep"} fail in both ways.
export const handler = async event => {
  if (event?.do === 'throw') throw new TypeError('as it was asked for')
  if (event?.do === 'sleep') await new Promise(resolve => setTimeout(resolve, 10000))
  return event
}
