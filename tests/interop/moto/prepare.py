"""In moto: a role and functions, users with and without rights. Prints their keys as
JSON. Run by moto's own python: prepare.py URL REGION"""
import io
import json
import sys
import zipfile

import boto3

URL, REGION = sys.argv[1:]
ANYBODY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": ["sts:AssumeRole",
                                                     "sts:AssumeRoleWithWebIdentity"]}]})


def client(service):
    return boto3.client(service, region_name=REGION, endpoint_url=URL,
                        aws_access_key_id="AKIAPREPARE000000001", aws_secret_access_key="none")


def policy(*actions):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


iam, functions = client("iam"), client("lambda")
role = iam.create_role(RoleName="functions", AssumeRolePolicyDocument=ANYBODY)["Role"]["Arn"]
iam.put_role_policy(RoleName="functions", PolicyName="calls", PolicyDocument=policy("lambda:*"))
code = io.BytesIO()
with zipfile.ZipFile(code, "w") as z:
    z.writestr("f.py", "def handler(event, context): return event\n")
for name in ("hello-world", "other"):
    functions.create_function(FunctionName=name, Runtime="python3.11", Role=role,
                              Handler="f.handler", Code={"ZipFile": code.getvalue()})
functions.publish_version(FunctionName="hello-world")
said = {"role": role, "users": {}}
for user, actions in (("caller", ["lambda:*", "sts:*"]), ("nobody", ["s3:ListBuckets"])):
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=policy(*actions))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    said["users"][user] = {"access": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
print(json.dumps(said))
